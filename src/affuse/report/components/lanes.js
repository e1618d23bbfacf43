// What lies beneath a player: a lane for each thing that an answer tells over time.
// A lane draws itself in any width, so that screen and picture are drawn by the same code.

import {
  CONFLICT, clock, coloursOf, intervalOf, percent, rangeOf, signed, topEmotion, trustsOf, valuesOf,
} from "./answers.js";
import { drawn } from "./markup.js";

const STRIP = 18, CHARACTER = 6.4;

// Lanes of a clip. `span` is the seconds from left to right, `reach` the largest value.
export function lanesOf(content, span, reach) {
  const place = (seconds, width) => Math.min(Math.max(seconds / span, 0), 1) * width;
  const lanes = [], parts = content.timeline;
  if (parts.some((part) => part.sentiment !== null)) lanes.push(sentimentLane(parts, place, reach));
  if (parts.some((part) => valuesOf(part).length)) lanes.push(valuesLane(parts, place));
  if (parts.some((part) => part.emotion)) {
    const title = (part) => {
      const top = topEmotion(part);
      return top ? [top, ` ${percent(part.emotion[top])}`] : ["", ""];
    };
    lanes.push(sharesLane("emotion", "Emotion", "", parts, place, (part) => part.emotion, title));
  }
  for (const [name, trusted] of trustsOf(content)) {
    if (!parts.some((part) => Object.keys(trusted(part).gate).length)) continue;
    const title = (part) => {
      const { primary, gate } = trusted(part);
      return primary ? [primary, ` ${percent(gate[primary])}`] : ["", ""];
    };
    const gate = (part) => trusted(part).gate;
    const of = name && `for ${name}`;
    const lane = sharesLane(`gate ${name}`, "Whom it trusts", of, parts, place, gate, title);
    // One legend will do for all checkpoints that know the same modalities.
    const known = lanes.some((other) => String(other.legend) === String(lane.legend));
    lanes.push(known ? { ...lane, legend: [] } : lane);
  }
  if (parts.some((part) => part.conflict !== null)) lanes.push(conflictLane(parts, place));
  if (content.words.length) lanes.push(wordsLane(content.words, place));
  if (content.streams?.picture && content.faces) lanes.push(whoseLane(content, place));
  const legends = lanes.some((lane) => lane.key === "emotion");
  for (const { person, timeline } of content.by_face || []) {
    lanes.push(...ownLanes(person, timeline, place, reach, legends));
  }
  return lanes;
}

// Where a window lies, a hair narrower than it is long.
function boxOf(part, place, width) {
  const left = place(part.start, width);
  return { x: left, width: Math.max(place(part.end, width) - left - 1.5, 0.5) };
}

function middleText(box, y, words, css = "") {
  return drawn("text", { x: box.x + box.width / 2, y, class: `middle ${css}` }, words);
}

// The longest of some wordings for which there is room, or nothing.
function fitting(box, y, wordings, css) {
  const words = wordings.find((one) => one && one.length * CHARACTER + 6 < box.width);
  return words ? middleText(box, y, words, css) : null;
}

function nothing(box, height) {
  return [drawn("rect", { ...box, y: 0, height, class: "nothing" })];
}

function sentimentLane(parts, place, reach) {
  const height = 104, middle = height / 2, step = (middle - 4) / reach;
  const draw = (width) => [
    ...[-0.5, 0.5].map((share) => {
      const y = middle + share * (height - 8);
      return drawn("line", { x1: 0, x2: width, y1: y, y2: y, class: "grid" });
    }),
    ...parts.flatMap((part) => {
      const box = boxOf(part, place, width), value = part.sentiment;
      if (value === null) return nothing(box, height);
      const size = Math.max(Math.abs(value) * step, 1.5), up = value >= 0;
      const marks = [drawn("rect", {
        ...box, y: up ? middle - size : middle, height: size, rx: Math.min(3, size / 2),
        class: `area ${up ? "positive" : "negative"}`,
      })];
      const interval = intervalOf(part), centre = box.x + box.width / 2;
      if (interval) {
        const [low, high] = interval.map((end) => middle - end * step);
        marks.push(drawn("path", {
          d: `M${centre - 5} ${low}h10M${centre - 5} ${high}h10M${centre} ${low}V${high}`, class: "whisker",
        }));
      }
      marks.push(fitting(box, up ? middle + 15 : middle - 7, [signed(value), signed(value, 1)], "value"));
      return marks;
    }),
    drawn("line", { x1: 0, x2: width, y1: middle, y2: middle, class: "axis" }),
  ];
  const known = parts.map((part) => part.sentiment).filter((value) => value !== null);
  const says = `from ${signed(Math.min(...known))} to ${signed(Math.max(...known))}`;
  const note = `${signed(-reach, 0)} to ${signed(reach, 0)}`;
  return { key: "sentiment", name: "Sentiment", note, height, draw, says, legend: [] };
}

// A line for each of several values, on one scale.
function valuesLane(parts, place) {
  const height = 84, [low, high] = rangeOf(parts);
  const at = (value) => height - 4 - (value - low) / (high - low) * (height - 8);
  const names = [...new Set(parts.flatMap((part) => valuesOf(part).map(([name]) => name)))];
  const colours = coloursOf(names);
  const draw = (width) => [
    ...[low, (low + high) / 2, high].map((value) => {
      return drawn("line", { x1: 0, x2: width, y1: at(value), y2: at(value), class: "grid" });
    }),
    ...parts.flatMap((part) => {
      const box = boxOf(part, place, width), told = valuesOf(part);
      if (!told.length) return nothing(box, height);
      return told.map(([name, value]) => drawn("rect", {
        ...box, y: at(value) - 2, height: 4, rx: 2, class: `area ${colours.get(name)}`,
      }));
    }),
  ];
  const says = names.map((name) => {
    const known = parts.map((part) => part.values?.[name]).filter(Number.isFinite);
    return `${name} from ${signed(Math.min(...known))} to ${signed(Math.max(...known))}`;
  }).join(", ");
  const title = names.join(" and "), name = title.charAt(0).toUpperCase() + title.slice(1);
  const note = `${signed(low, 0)} to ${signed(high, 0)}`;
  return { key: "values", name, note, height, draw, says, legend: [...colours] };
}

// Shares one upon the other; several labels, which need not sum to one, are scaled to fit.
function sharesLane(key, name, note, parts, place, shares, title) {
  const bars = key === "emotion" ? 64 : 44, height = bars + STRIP;
  const colours = coloursOf(new Set(parts.flatMap((part) => Object.keys(shares(part) || {}))));
  const draw = (width) => parts.flatMap((part) => {
    const box = boxOf(part, place, width), given = Object.entries(shares(part) || {});
    if (!given.length) return nothing(box, bars);
    const total = Math.max(1, given.reduce((sum, [, share]) => sum + share, 0));
    let y = bars;
    const marks = given.map(([label, share]) => {
      const size = bars * share / total;
      y -= size;
      return drawn("rect", { ...box, y, height: size, class: `area ${colours.get(label)}` });
    });
    const [first, rest] = title(part);
    return [...marks, fitting(box, bars + 13, [first + rest, first], "strip")];
  });
  const firsts = [...new Set(parts.map((part) => title(part)[0]).filter(Boolean))];
  return { key, name, note, height, draw, says: `mostly ${firsts.join(", ")}`, legend: [...colours] };
}

function conflictLane(parts, place) {
  const bars = 44, height = bars + STRIP;
  const draw = (width) => {
    const limit = bars * (1 - CONFLICT);
    return [
      ...parts.flatMap((part) => {
        const box = boxOf(part, place, width);
        if (part.conflict === null) return nothing(box, bars);
        const size = Math.max(bars * part.conflict, 1.5), high = part.conflict >= CONFLICT;
        const words = percent(part.conflict);
        return [
          drawn("rect", { ...box, y: 0, height: bars, class: "bed" }),
          drawn("rect", { ...box, y: bars - size, height: size, class: `area conflict ${high ? "" : "faint"}` }),
          fitting(box, bars + 13, [high ? `\u26a0\ufe0e ${words}` : words, words], high ? "strip strong" : "strip"),
        ];
      }),
      drawn("line", { x1: 0, x2: width, y1: limit, y2: limit, class: "mark" }),
    ];
  };
  const most = Math.max(...parts.map((part) => part.conflict ?? 0));
  return { key: "conflict", name: "Conflict", note: `dashed: ${percent(CONFLICT)}`, height, draw,
    says: `at most ${percent(most)}`, legend: [] };
}

function wordsLane(words, place) {
  const height = 28;
  const draw = (width) => {
    const boxes = words.map((word) => boxOf(word, place, width));
    const texts = words.map((word, number) => fitting(boxes[number], 18, [word.word], "value"));
    const outline = boxes.map((box) => `M${box.x.toFixed(1)} 3h${box.width.toFixed(1)}v22h-${box.width.toFixed(1)}z`);
    return [
      drawn("path", { d: outline.join(""), class: "said" }),
      ...(2 * texts.filter(Boolean).length > words.length ? texts : []),
    ];
  };
  return { key: "words", name: "Words", note: "", height, draw, says: `${words.length} words`, legend: [] };
}

// What one of several faces says by itself.
function ownLanes(person, parts, place, reach, legends) {
  const name = `Face ${person}`, note = `by itself, ${whereIs(parts)}`;
  if (parts.some((part) => part.emotion)) {
    const title = (part) => [topEmotion(part) || "", ""];
    const lane = sharesLane(`own ${person}`, name, note, parts, place, (part) => part.emotion, title);
    return [legends ? { ...lane, legend: [] } : lane];
  }
  if (!parts.some((part) => part.sentiment !== null)) return [];
  return [{ ...sentimentLane(parts, place, reach), key: `own ${person}`, name, note }];
}

// Where in the picture a face is, about.
function whereIs(parts) {
  const x = parts[parts.length >> 1].face.place[0];
  if (x < 0.4) return "left";
  return x > 0.6 ? "right" : "in the middle";
}

// Of several faces, the one that each window is about, and why.
function whoseLane(content, place) {
  const parts = content.timeline.filter((part) => part.face);
  if (parts.every((part) => part.face.why === "only")) return faceLane(content, place);
  const height = 28;
  const draw = (width) => parts.flatMap((part) => {
    const box = boxOf(part, place, width), { person, why } = part.face;
    const wordings = why === "speaks" ? [`face ${person} speaks`, `face ${person}`, `${person}`]
      : [`face ${person}`, `${person}`];
    return [
      drawn("rect", { ...box, y: 3, height: 22, rx: 2, class: "said" }),
      fitting(box, 18, wordings, "value"),
    ];
  });
  const people = [...new Set(parts.map((part) => part.face.person))];
  const spoken = parts.filter((part) => part.face.why === "speaks").length;
  return { key: "face", name: "Whose face", note: `speaks in ${spoken} of ${parts.length}`, height, draw,
    says: `face ${people.join(", ")}`, legend: [] };
}

// Another shade is another face; where there are no pictures there is nothing.
function faceLane(content, place) {
  const height = 18, { changes, share } = content.faces;
  const gaps = content.streams.picture.gaps || [];
  const draw = (width) => {
    const ends = [0, ...changes, content.duration];
    const faces = ends.slice(1).map((end, number) => {
      const box = boxOf({ start: ends[number], end }, place, width);
      return drawn("rect", { ...box, y: 4, height: 10, rx: 2, class: `area vision ${number % 2 ? "faint" : ""}` });
    });
    const lost = gaps.map(([start, end]) => {
      return drawn("rect", { ...boxOf({ start, end }, place, width), y: 0, height, class: "blank" });
    });
    return share ? [...faces, ...lost] : nothing({ x: 0, width }, height);
  };
  const note = share ? `seen ${percent(share)} of the time` : "none is seen";
  const says = changes.length ? `another one is followed at ${changes.map(clock).join(", ")}` : note;
  return { key: "face", name: "Whose face", note: changes.length ? `${changes.length} changes` : note,
    height, draw, says, legend: [] };
}

// Times below the lanes, as many as there is room for.
export function axisOf(span) {
  const steps = [0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200];
  const draw = (width) => {
    const step = steps.find((one) => one / span * width >= 64) || steps.at(-1);
    const times = Array.from({ length: Math.floor(span / step + 1e-6) + 1 }, (_, i) => i * step);
    return times.map((time) => {
      const x = time / span * width;
      const css = x < 12 ? "" : x > width - 20 ? "end" : "middle";
      const words = step < 1 ? `${time.toFixed(1)} s` : clock(time);
      return [drawn("line", { x1: x, x2: x, y1: 0, y2: 4, class: "axis" }),
        drawn("text", { x: css ? x : x + 4, y: 17, class: css }, words)];
    });
  };
  return { key: "axis", name: "", note: "", height: 22, draw, says: "", legend: [] };
}
