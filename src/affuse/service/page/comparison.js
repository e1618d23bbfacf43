// Two clips side by side, on the same scales where their lengths allow it.

import { coloursOf, factsOf, nameOf, percent, reachOf, signed, valuesOf } from "./components/answers.js";
import { clipView } from "./components/clip_view.js";
import { button, element } from "./components/markup.js";

// The view of two clips, each a pair of its answer, the address of its recording and its exports.
export function comparisonOf(clips) {
  const contents = clips.map(([content]) => content);
  const lengths = contents.map((content) => Math.max(content.duration, 1e-3));
  // Beside one that is much longer nothing of a clip would be seen.
  const alike = Math.max(...lengths) < 4 * Math.min(...lengths);
  const scales = { span: alike ? Math.max(...lengths) : undefined, reach: reachOf(contents), level: 2 };
  const views = clips.map((clip) => clipView(...clip, scales));
  const heading = element("h1", { tabindex: "-1" }, contents.map(nameOf).join(" beside "));
  const both = button("Play both", () => {
    const running = views.some((view) => !view.player.paused);
    for (const { player } of views) {
      if (player.paused === !running) player.toggle();
    }
  });
  const node = element("div", { class: "comparison" },
    element("div", { class: "library-head" }, heading, both),
    differencesOf(contents), element("div", { class: "beside" }, views));
  return Object.assign(node, { heading, stop: () => views.forEach((view) => view.player.stop()) });
}

// The answers for the whole clips, with what lies between them.
function differencesOf([one, other]) {
  const names = new Set([...factsOf(one), ...factsOf(other)].map(([name]) => name));
  const facts = [one, other].map((content) => new Map(factsOf(content)));
  const apart = { sentiment: between(one.sentiment, other.sentiment, signed),
    conflict: between(one.conflict, other.conflict, points) };
  for (const [name, value] of valuesOf(one)) {
    apart[name] = between(value, other.values?.[name] ?? null, signed);
  }
  const rows = [...names].map((name) => [name, ...facts.map((known) => known.get(name) || "\u2014"),
    apart[name] || ""]);
  const labels = new Set([one, other].flatMap((content) => Object.keys(content.emotion || {})));
  for (const [label, css] of coloursOf(labels)) {
    const values = [one, other].map((content) => content.emotion?.[label] ?? null);
    rows.push([[element("i", { class: `key ${css}` }), label], ...values.map((value) => (value === null ? "\u2014" : percent(value))), between(...values, points)]);
  }
  const head = ["", nameOf(one), nameOf(other), "difference"];
  return element("details", { open: true }, element("summary", {}, "Whole clips"),
    element("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": "Whole clips" },
      element("table", {},
        element("thead", {}, element("tr", {}, head.map((name) => (name ? element("th", { scope: "col" }, name) : element("td"))))),
        element("tbody", {}, rows.map(([name, ...cells]) => element("tr", {},
          element("th", { scope: "row" }, name), cells.map((cell) => element("td", { class: "number" }, cell))))))));
}

function points(share) {
  return `${signed(100 * share, 0)} points`;
}

function between(one, other, say) {
  return one === null || other === null ? "" : say(other - one);
}
