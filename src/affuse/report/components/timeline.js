// The lanes of a clip with a playhead: it follows the player, and a click or a key moves it.

import {
  clock, factsOf, inConflict, inWords, spanOf, stopsOf, trustsOf, windowAt, wordsIn,
} from "./answers.js";
import { drawn, element, refill } from "./markup.js";
import { axisOf, lanesOf } from "./lanes.js";

// The timeline of a clip as an element. `player` is what `playerOf` gives.
export function timelineOf(content, player, span, reach) {
  const lanes = [...lanesOf(content, span, reach), axisOf(span)];
  const rows = lanes.map(rowOf), plots = rows.map((row) => row.querySelector("svg"));
  const playhead = element("i", { class: "playhead" }), pointer = element("i", { class: "pointer", hidden: true });
  const tip = element("div", { class: "tip", hidden: true });
  const track = element("div", {
    class: "track", role: "slider", tabindex: "0", "aria-label": `Moment of ${content.file}`,
    "aria-valuemin": "0", "aria-valuemax": content.duration.toFixed(1),
  }, pointer, playhead);
  const whole = element("div", { class: "timeline" }, rows, track, tip);

  const redraw = () => {
    const width = plots[0].getBoundingClientRect().width;
    if (!width) return;
    lanes.forEach((lane, number) => {
      plots[number].setAttribute("viewBox", `0 0 ${width} ${lane.height}`);
      refill(plots[number], lane.draw(width));
    });
    const [box, own] = [plots[0].getBoundingClientRect(), whole.getBoundingClientRect()];
    track.style.left = `${box.left - own.left}px`;
    track.style.width = `${width}px`;
  };
  new ResizeObserver(redraw).observe(whole);

  const at = (time) => `${100 * Math.min(time / span, 1)}%`;
  player.watch((time) => {
    playhead.style.left = at(time);
    track.setAttribute("aria-valuenow", time.toFixed(1));
    const part = windowAt(content, time);
    track.setAttribute("aria-valuetext", `${clock(time)}: ${part ? inWords(part) : "no answer"}`);
    if (document.activeElement === track && !tip.hidden && pointer.hidden) showTip(time);
  });

  function showTip(time) {
    refill(tip, tipOf(content, time));
    tip.hidden = false;
    const [line, own] = [track.getBoundingClientRect(), whole.getBoundingClientRect()];
    const x = line.left - own.left + line.width * Math.min(time / span, 1);
    const room = own.width - tip.offsetWidth;
    const right = x + 14 + tip.offsetWidth <= own.width;
    tip.style.left = `${Math.max(0, Math.min(right ? x + 14 : x - 14 - tip.offsetWidth, room))}px`;
  }
  const timeOf = (event) => {
    const box = track.getBoundingClientRect();
    const share = (event.clientX - box.left) / box.width;
    return Math.min(Math.max(share * span, 0), content.duration);
  };
  const hide = () => { tip.hidden = pointer.hidden = true; };
  track.addEventListener("pointermove", (event) => {
    const time = timeOf(event);
    pointer.hidden = false;
    pointer.style.left = at(time);
    showTip(time);
    if (event.buttons === 1) player.seek(time);
  });
  track.addEventListener("pointerleave", hide);
  track.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    track.setPointerCapture(event.pointerId);
    player.seek(timeOf(event));
  });
  track.addEventListener("focus", () => {
    if (track.matches(":focus-visible")) showTip(player.time);
  });
  track.addEventListener("blur", hide);
  track.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !tip.hidden) {
      hide();
      event.stopPropagation();
    } else if (moveByKey(event, content, player)) {
      pointer.hidden = true;
      showTip(player.time);
    }
  });
  return whole;
}

// Where a key leads, if anywhere. Whoever listens further out need not ask again.
export function moveByKey(event, content, player) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return false;
  const stops = stopsOf(content), moments = inConflict(content).map((part) => part.start);
  const before = (times) => times.filter((time) => time < player.time - 0.05).at(-1);
  const after = (times) => times.find((time) => time > player.time + 0.05);
  const leads = {
    ArrowLeft: () => before(stops) ?? 0, ArrowRight: () => after(stops) ?? content.duration,
    ArrowDown: () => player.time - 1, ArrowUp: () => player.time + 1,
    PageUp: () => before(moments), PageDown: () => after(moments),
    Home: () => 0, End: () => content.duration,
  };
  if (event.key === " ") player.toggle();
  else if (!leads[event.key]) return false;
  else {
    const time = leads[event.key]();
    if (time !== undefined) player.seek(Math.min(Math.max(time, 0), content.duration));
  }
  event.preventDefault();
  return true;
}

function rowOf(lane) {
  const attributes = lane.name
    ? { role: "img", "aria-label": `${lane.name}${lane.note && ` (${lane.note})`}: ${lane.says}` }
    : { "aria-hidden": "true" };
  const plot = drawn("svg", { ...attributes, height: lane.height, preserveAspectRatio: "none" });
  const keys = lane.legend.map(([name, css]) => {
    return element("li", {}, element("i", { class: `key ${css}` }), name);
  });
  return element("div", { class: `lane lane-${lane.key.split(" ")[0]}` },
    element("div", { class: "lane-name" }, element("b", {}, lane.name),
      lane.note ? element("small", {}, lane.note) : null),
    element("div", { class: "plot" }, plot,
      keys.length ? element("ul", { class: "keys" }, keys) : null));
}

function tipOf(content, time) {
  const part = windowAt(content, time);
  if (!part) return [element("b", {}, clock(time))];
  const facts = factsOf(part).map(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]);
  const gates = trustsOf(content).map(([name, trusted]) => {
    const gate = Object.entries(trusted(part).gate).map(([m, weight]) => `${m} ${weight.toFixed(2)}`);
    if (!gate.length) return null;
    return [element("dt", {}, `trust${name && ` (${name})`}`), element("dd", {}, gate.join(", "))];
  });
  const said = wordsIn(content, part).map((word) => word.word).join(" ");
  const words = said.length > 160 ? `${said.slice(0, 160)} \u2026` : said;
  return [
    element("p", {}, element("b", {}, clock(time)), ` in ${spanOf(part)}`),
    facts.length ? element("dl", {}, facts, gates) : element("p", {}, "nothing seen or heard"),
    words ? element("p", { class: "tip-words" }, `\u201c${words}\u201d`) : null,
  ];
}
