// Two values as a place on a plane, valence to the right and arousal upwards (Russell 1980).

import { valuesOf } from "./answers.js";
import { drawn } from "./markup.js";

const SIDE = 150, MARGIN = 18;

// The window's place among those of the whole clip, which are faint.
export function circumplexOf(content, part, [low, high]) {
  const inner = SIDE - 2 * MARGIN;
  const along = (value) => MARGIN + (value - low) / (high - low) * inner;
  const spot = ([[, x], [, y]], attributes) => {
    return drawn("circle", { cx: along(x), cy: SIDE - along(y), ...attributes });
  };
  const middle = SIDE / 2, [[first], [second]] = valuesOf(part);
  const others = content.timeline.filter((one) => one !== part && valuesOf(one).length === 2);
  return drawn("svg", { viewBox: `0 0 ${SIDE} ${SIDE}`, class: "circumplex", "aria-hidden": "true" },
    drawn("circle", { cx: middle, cy: middle, r: inner / 2, class: "said" }),
    drawn("path", { d: `M${MARGIN} ${middle}h${inner}M${middle} ${MARGIN}v${inner}`, class: "axis" }),
    drawn("text", { x: middle, y: 12, class: "middle" }, second),
    drawn("text", { x: SIDE, y: middle - 4, class: "end" }, first),
    others.map((one) => spot(valuesOf(one), { r: 2, class: "faint" })),
    spot(valuesOf(part), { r: 6, class: "place" }));
}
