// The clips that the page knows: what is sent, what waits, and answers; and their list.

import { CONFLICT, coloursOf, nameOf, percent, topEmotion } from "./components/answers.js";
import { chipsOf } from "./components/clip_view.js";
import { button, drawn, element, refill } from "./components/markup.js";

const at = (id) => document.getElementById(id);

// A clip of the list; what is sent first has no id yet.
export class Entry {
  constructor(name, { id = null, state = "sending", made = Date.now() / 1000 } = {}) {
    Object.assign(this, { name, id, state, made, progress: 0, error: null, content: null, wait: "" });
  }

  get words() {
    return {
      sending: this.wait || `sending, ${percent(this.progress)}`,
      queued: "waits for its turn",
      running: `being read, ${percent(this.progress)}`,
      done: "done",
      failed: "failed",
    }[this.state];
  }
}

// The list on the page. `acts` are `open(entry)`, `remove(entry)` and `compare(one, other)`.
export class Library {
  constructor(acts) {
    Object.assign(this, { acts, entries: [], chosen: [], nodes: new Map() });
    for (const event of ["input", "change"]) at("filter").addEventListener(event, () => this.show());
    at("filter").addEventListener("submit", (event) => event.preventDefault());
  }

  add(entry) {
    this.entries.unshift(entry);
    this.show();
  }

  find(id) {
    return this.entries.find((entry) => entry.id === id);
  }

  drop(entry) {
    this.entries = this.entries.filter((other) => other !== entry);
    this.chosen = this.chosen.filter((other) => other !== entry);
    this.nodes.delete(entry);
    this.show();
  }

  // Draws one entry anew; its node stays, and with it the focus.
  changed(entry) {
    const node = this.nodes.get(entry);
    if (node) fill(node, entry, this);
    this.show();
  }

  choose(entry, wanted) {
    const rest = this.chosen.filter((other) => other !== entry);
    this.chosen = wanted ? [...rest.slice(-1), entry] : rest;
    for (const [other, node] of this.nodes) {
      const box = node.querySelector("input[type=checkbox]");
      if (box) box.checked = this.chosen.includes(other);
    }
    this.showPair();
  }

  show() {
    at("library").hidden = !this.entries.length;
    offerEmotions(this.entries);
    const shown = this.entries.filter(fits);
    const nodes = shown.map((entry) => {
      if (!this.nodes.has(entry)) this.nodes.set(entry, fill(element("li", { class: "item" }), entry, this));
      return this.nodes.get(entry);
    });
    const list = at("list"), same = nodes.length === list.children.length
      && nodes.every((node, number) => node === list.children[number]);
    if (!same) list.replaceChildren(...nodes);
    const count = `${shown.length} of ${this.entries.length} clip${this.entries.length === 1 ? "" : "s"}`;
    if (at("count").textContent !== count) at("count").textContent = count;
    this.showPair();
  }

  showPair() {
    const [one, other] = this.chosen;
    at("pair").hidden = !one;
    if (!one) return;
    const words = other ? `${one.name} and ${other.name}` : `${one.name}: choose another clip to compare it with`;
    refill(at("pair"), element("span", {}, words),
      other && button("Compare", () => this.acts.compare(one, other), { class: "main" }));
  }
}

// Fills the node of an entry by its state, only as far as that has changed.
function fill(node, entry, library) {
  const stage = entry.content ? "answer" : entry.state;
  if (node.dataset.stage === stage && stage !== "answer") {
    const bar = node.querySelector("progress");
    if (bar) bar.value = entry.progress;
    node.querySelector(".state").textContent = entry.words;
    return node;
  }
  node.dataset.stage = stage;
  const waits = ["sending", "queued", "running"].includes(entry.state);
  const removes = entry.id || entry.state === "failed";
  refill(node,
    element("div", { class: "item-head" },
      entry.content
        ? element("a", { href: `#clip=${entry.id}`, class: "item-name" }, entry.name)
        : element("span", { class: "item-name" }, entry.name),
      element("span", { class: "state soft", hidden: Boolean(entry.content) }, entry.words)),
    waits ? element("progress", { max: 1, value: entry.progress, "aria-label": `Progress of ${entry.name}` }) : "",
    entry.error ? element("p", { class: "problem" }, entry.error) : "",
    entry.content ? [chipsOf(entry.content), stripOf(entry.content)] : "",
    element("div", { class: "item-acts" },
      entry.content ? [
        button("Open", () => library.acts.open(entry), { "aria-label": `Open ${entry.name}` }),
        compareBox(entry, library),
      ] : "",
      removes ? button("Remove", () => library.acts.remove(entry), { "aria-label": `Remove ${entry.name}` }) : ""));
  return node;
}

function compareBox(entry, library) {
  const box = element("input", { type: "checkbox", "aria-label": `Compare ${entry.name}`,
    onchange: () => library.choose(entry, box.checked) });
  box.checked = library.chosen.includes(entry);
  return element("label", { class: "tick" }, box, "Compare");
}

// The likeliest emotion of each window, or the sign of its value, as one thin strip.
function stripOf(content) {
  const span = Math.max(content.duration, 1e-3);
  const colours = coloursOf(Object.keys(content.emotion || {}));
  const marks = content.timeline.map((part) => {
    const top = topEmotion(part);
    const css = top ? colours.get(top) : part.sentiment < 0 ? "negative" : "positive";
    const width = Math.max(1000 * (part.end - part.start) / span - 3, 1);
    return part.primary && drawn("rect", { x: 1000 * part.start / span, width, height: 8, class: `area ${css}` });
  });
  return drawn("svg", { viewBox: "0 0 1000 8", preserveAspectRatio: "none", class: "strip", "aria-hidden": "true" },
    marks.filter(Boolean));
}

function offerEmotions(entries) {
  const found = [...new Set(entries.map((entry) => entry.content && topEmotion(entry.content)).filter(Boolean))].sort();
  const field = at("emotion"), before = field.value;
  if ([...field.options].slice(1).map((option) => option.value).join() === found.join()) return;
  field.replaceChildren(field.options[0], ...found.map((name) => element("option", { value: name }, name)));
  field.value = found.includes(before) ? before : "";
}

function fits(entry) {
  const sought = at("sought").value.trim().toLowerCase(), { content } = entry;
  const said = content ? `${nameOf(content)} ${content.words.map((word) => word.word).join(" ")}` : "";
  if (!`${entry.name} ${said}`.toLowerCase().includes(sought)) return false;
  const [emotion, sign, tense] = [at("emotion").value, at("sign").value, at("tense").checked];
  if (!emotion && !sign && !tense) return true;
  if (!content) return false;
  const value = content.sentiment, signs = { "": true, negative: value < 0, positive: value > 0 };
  const high = content.timeline.some((part) => part.conflict >= CONFLICT);
  return (!emotion || topEmotion(content) === emotion) && signs[sign] && (!tense || high);
}
