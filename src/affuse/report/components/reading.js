// The numbers of the moment: what the window says in which the playhead stands.

import {
  coloursOf, intervalOf, nameOf, percent, rangeOf, signed, spanOf, trustsOf, valuesOf, windowAt,
} from "./answers.js";
import { circumplexOf } from "./circumplex.js";
import { element, refill } from "./markup.js";

export function readingOf(content, player, reach, level) {
  const when = element("span", { class: "soft" }), body = element("div", { class: "reading-body" });
  let shown = null;
  player.watch((time) => {
    const part = windowAt(content, time);
    if (part === shown) return;
    shown = part;
    when.textContent = part ? spanOf(part) : "";
    refill(body, part ? groupsOf(content, part, reach) : []);
  });
  return element("section", { class: "reading", "aria-label": `At this moment of ${nameOf(content)}` },
    element(`h${level}`, { class: "part" }, "At this moment ", when), body);
}

function groupsOf(content, part, reach) {
  const groups = [];
  if (part.sentiment !== null) groups.push(sentimentGroup(part, reach));
  if (valuesOf(part).length) groups.push(valuesGroup(content, part));
  if (part.conflict !== null) {
    groups.push(barsGroup("Conflict", [["conflict", part.conflict]], percent));
  }
  for (const [name, trusted] of trustsOf(content)) {
    const { gate, primary } = trusted(part), title = `Whom it trusts${name && ` for ${name}`}`;
    if (primary) groups.push(barsGroup(title, Object.entries(gate), percent, primary));
  }
  if (part.emotion) groups.push(barsGroup("Emotion", Object.entries(part.emotion), percent));
  return groups.length ? groups : [element("p", {}, "Nothing is seen or heard here.")];
}

// Two values stand on a plane, and others on a line each.
function valuesGroup(content, part) {
  const values = valuesOf(part), range = rangeOf([content, ...content.timeline]);
  const said = values.map(([name, value]) => element("span", {}, `${name} ${signed(value)} `));
  const marks = values.length === 2 ? circumplexOf(content, part, range) : values.map(([, value]) => {
    const dot = element("b", { class: "c0" });
    dot.style.left = `${100 * (value - range[0]) / (range[1] - range[0])}%`;
    return element("div", { class: "scale", "aria-hidden": "true" }, dot);
  });
  return element("div", { class: "group" }, element("p", { class: "group-name" }, said), marks);
}

function sentimentGroup(part, reach) {
  const share = (value) => 50 + 50 * Math.min(Math.max(value / reach, -1), 1);
  const value = part.sentiment, interval = intervalOf(part), css = value < 0 ? "negative" : "positive";
  const bar = element("i", { class: css }), dot = element("b", { class: css });
  const [low, high] = [share(Math.min(value, 0)), share(Math.max(value, 0))];
  bar.style.left = `${low}%`;
  bar.style.width = `${high - low}%`;
  dot.style.left = `${share(value)}%`;
  const marks = [bar, dot];
  if (interval) {
    const band = element("u");
    band.style.left = `${share(interval[0])}%`;
    band.style.width = `${share(interval[1]) - share(interval[0])}%`;
    marks.unshift(band);
  }
  const between = interval ? `, ${signed(interval[0])} to ${signed(interval[1])}` : "";
  return element("div", { class: "group" },
    element("p", { class: "group-name" }, "Sentiment ", element("span", {}, signed(value) + between)),
    element("div", { class: "scale", "aria-hidden": "true" }, marks),
    element("div", { class: "ends soft", "aria-hidden": "true" },
      element("span", {}, "negative"), element("span", {}, "positive")));
}

function barsGroup(title, values, say, leader = "") {
  const colours = coloursOf(values.map(([name]) => name));
  const rows = values.map(([name, value]) => {
    const bar = element("i", { class: colours.get(name) });
    bar.style.width = `${100 * Math.min(value, 1)}%`;
    const said = name === leader ? element("dt", {}, name, element("em", {}, " leads")) : element("dt", {}, name);
    return element("div", { class: "bar" }, said, element("dd", {},
      element("span", { class: "rod", "aria-hidden": "true" }, bar), element("span", {}, say(value))));
  });
  return element("div", { class: "group" }, element("p", { class: "group-name" }, title), element("dl", {}, rows));
}
