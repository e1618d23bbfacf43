// A clip whole: player, numbers of the moment, timeline, conflicts, words, and what was read.

import {
  CONFLICT, clock, coloursOf, factsOf, inConflict, nameOf, percent, reachOf, signed, spanOf, topEmotion,
  valuesOf, wordsIn,
} from "./answers.js";
import { button, element, refill, save } from "./markup.js";
import { pictureOf } from "./picture.js";
import { playerOf } from "./player.js";
import { readingOf } from "./reading.js";
import { moveByKey, timelineOf } from "./timeline.js";
import { transcriptOf } from "./transcript.js";

// The view of a clip as an element with its `player`.
//
// `media` are addresses of the recording, none if it is not played; `exports` gives the text of "csv" and "srt";
// `span` and `reach` are those of the scales where clips stand side by side, `level` that of the heading.
export function clipView(content, media, exports, { span, reach, notice, level = 1 } = {}) {
  const seconds = span || Math.max(content.duration, 1e-3), most = reach || reachOf([content]);
  const problem = element("p", { class: "problem", role: "alert", hidden: true });
  const player = playerOf(content, media, (words) => tell(problem, words));
  const heading = element(`h${level}`, { class: "clip-name", tabindex: "-1" }, nameOf(content));
  const part = (words) => element(`h${level + 1}`, { class: "part" }, words);
  const whole = element("article", { class: "clip" },
    element("header", { class: "clip-head" },
      element("div", {}, heading, chipsOf(content), lengthOf(content)),
      exportsOf(content, exports, problem)),
    problem,
    notice ? element("p", { class: "soft" }, notice) : null,
    element("div", { class: player.node && player.pictures ? "stage" : "stage heard" },
      player.node ? element("div", { class: "screen" }, player.node) : null,
      readingOf(content, player, most, level + 1)),
    timelineOf(content, player, seconds, most),
    element("p", { class: "soft keys-hint" }, "Click, or ", keys("\u2190", "\u2192"), " to the next, ",
      keys("\u2191", "\u2193"), " by seconds, ", keys("Page \u2191", "Page \u2193"), " by conflicts",
      player.node ? [", ", keys("Space"), " plays"] : null, "."),
    momentsOf(content, player, part("Where modalities conflict")),
    content.words.length ? element("div", {}, part("What is said"), transcriptOf(content, player)) : null,
    content.notices.length ? element("section", {}, part("What to mind"), noticesOf(content)) : null,
    windowsOf(content));
  whole.addEventListener("keydown", (event) => {
    const keys = { ArrowLeft: "", ArrowRight: "", " ": "button, a, summary, " }[event.key];
    const own = event.target.closest(`${keys}input, select, video, audio, [role=region]`);
    if (keys !== undefined && !own) moveByKey(event, content, player);
  });
  return Object.assign(whole, { player, heading });
}

function tell(problem, words) {
  problem.hidden = false;
  problem.textContent = words;
}

function keys(...names) {
  return names.map((name) => element("kbd", {}, name));
}

export function chipsOf(answer) {
  const facts = factsOf(answer), top = topEmotion(answer);
  const colours = {
    sentiment: answer.sentiment < 0 ? "negative" : "positive", emotion: top, "led by": answer.primary,
    conflict: "conflict", ...Object.fromEntries(coloursOf(valuesOf(answer).map(([name]) => name))),
  };
  const chips = facts.map(([name, value]) => element("li", {},
    element("i", { class: `key ${colours[name]}` }), element("span", { class: "soft" }, `${name} `),
    element("b", {}, value)));
  return element("ul", { class: "chips", "aria-label": "Answer for the whole clip" },
    chips.length ? chips : element("li", {}, "nothing seen or heard"));
}

function lengthOf(content) {
  const count = content.timeline.length;
  return element("p", { class: "soft" }, `${clock(content.duration)} in ${count} window${count === 1 ? "" : "s"}, by `,
    content.checkpoint.join(" and "));
}

function exportsOf(content, exports, problem) {
  const name = nameOf(content);
  const forms = {
    json: ["application/json", async () => JSON.stringify(content, null, 2)],
    csv: ["text/csv", () => exports("csv")],
    srt: ["application/x-subrip", () => exports("srt")],
    png: ["image/png", () => pictureOf(content)],
  };
  const buttons = Object.entries(forms).map(([form, [type, make]]) => button(form.toUpperCase(), async () => {
    try {
      save(`${name}.${form}`, await make(), type);
    } catch (error) {
      tell(problem, error.message);
    }
  }, { "aria-label": `Save as ${form.toUpperCase()}` }));
  return element("div", { class: "exports", role: "group", "aria-label": "Save" },
    element("span", { class: "soft", "aria-hidden": "true" }, "Save"), buttons);
}

// Moments at which modalities contradict each other; else the one at which they do most.
function momentsOf(content, player, heading) {
  const known = content.timeline.filter((part) => part.conflict !== null), high = inConflict(content);
  if (!known.length) return null;
  const most = known.reduce((one, other) => (other.conflict > one.conflict ? other : one));
  const shown = high.length ? high : [most];
  const items = shown.slice(0, 40).map((part) => element("li", {}, button([
    element("b", {}, spanOf(part)), ` ${percent(part.conflict)}, ${part.primary} leads`,
  ], () => player.seek(part.start))));
  const lead = high.length ? null
    : element("p", {}, `No window reaches ${percent(CONFLICT)}. The highest is`);
  return element("section", { class: "moments" }, heading, lead,
    element("ul", {}, items));
}

function noticesOf(content) {
  const items = content.notices.map((notice) => element("li", {}, notice));
  return element("ul", { class: "notices" }, items);
}

// The table is filled when somebody opens it: of hours it has thousands of rows.
function windowsOf(content) {
  const values = [...new Set(content.timeline.flatMap((part) => valuesOf(part).map(([name]) => name)))];
  const body = element("tbody"), names = ["time", "sentiment", ...values, "emotion", "leads", "conflict", "words"];
  const heads = names.map((name) => element("th", { scope: "col" }, name));
  const table = element("table", {}, element("thead", {}, element("tr", {}, heads)), body);
  const fillOnce = () => {
    if (body.children.length) return;
    refill(body, content.timeline.map((part) => {
      return element("tr", {}, cellsOf(content, part, values).map((cell) => element("td", {}, cell)));
    }));
  };
  return element("details", { ontoggle: fillOnce }, element("summary", {}, "All numbers, window by window"),
    element("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": `Windows of ${nameOf(content)}` },
      table));
}

function cellsOf(content, part, values) {
  const top = topEmotion(part), told = part.values || {};
  return [spanOf(part), part.sentiment === null ? "" : signed(part.sentiment),
    ...values.map((name) => (name in told ? signed(told[name]) : "")),
    top ? `${top} ${percent(part.emotion[top])}` : "", part.primary || "",
    part.conflict === null ? "" : percent(part.conflict),
    wordsIn(content, part).map((word) => word.word).join(" ")];
}
