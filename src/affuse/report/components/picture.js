// A clip's timeline as a picture, drawn by the lanes themselves.

import { inWords, nameOf, reachOf } from "./answers.js";
import { axisOf, lanesOf } from "./lanes.js";
import { drawn } from "./markup.js";

const WIDTH = 1200, LEFT = 150, EDGE = 24, SHARPNESS = 2;
const STYLES = ["fill", "stroke", "stroke-width", "stroke-dasharray", "opacity", "font-size",
  "font-weight", "font-family", "text-anchor"];

// A PNG in the colours of the page as it is.
export async function pictureOf(content) {
  const figure = figureOf(content);
  document.body.append(figure);
  const known = new Map();
  for (const node of figure.querySelectorAll("*")) {
    const kind = `${node.tagName} ${node.getAttribute("class")}`;
    if (!known.has(kind)) {
      const style = getComputedStyle(node);
      known.set(kind, STYLES.map((name) => [name, style.getPropertyValue(name)]));
    }
    for (const [name, value] of known.get(kind)) node.setAttribute(name, value);
  }
  const [width, height] = [WIDTH, Number(figure.getAttribute("height"))];
  figure.remove();
  figure.removeAttribute("class");
  const source = new XMLSerializer().serializeToString(figure);
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(source)}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width * SHARPNESS, height * SHARPNESS];
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve, reject) => {
    canvas.toBlob((made) => (made ? resolve(made) : reject(new Error("the picture cannot be made"))), "image/png");
  });
}

function figureOf(content) {
  const plot = WIDTH - LEFT - 2 * EDGE, span = Math.max(content.duration, 1e-3);
  const marks = [
    drawn("text", { x: EDGE, y: EDGE + 14, class: "title" }, nameOf(content)),
    drawn("text", { x: EDGE, y: EDGE + 38 }, inWords(content)),
  ];
  let y = EDGE + 62;
  for (const lane of [...lanesOf(content, span, reachOf([content])), axisOf(span)]) {
    marks.push(drawn("text", { x: EDGE, y: y + 13, class: "strong" }, lane.name));
    marks.push(drawn("text", { x: EDGE, y: y + 29 }, lane.note));
    marks.push(drawn("g", { transform: `translate(${EDGE + LEFT} ${y})` }, lane.draw(plot)));
    y += lane.height + 8;
    let x = EDGE + LEFT;
    for (const [name, css] of lane.legend) {
      marks.push(drawn("rect", { x, y: y - 2, width: 10, height: 10, rx: 2, class: `area ${css}` }));
      marks.push(drawn("text", { x: x + 15, y: y + 7 }, name));
      x += 34 + 7 * name.length;
    }
    y += lane.legend.length ? 24 : 6;
  }
  const words = "How people who watched the clip might label it; no measurement of what anybody feels. affuse";
  marks.push(drawn("text", { x: EDGE, y: y + 14 }, words));
  const height = Math.ceil(y + 14 + EDGE);
  return drawn("svg", { xmlns: "http://www.w3.org/2000/svg", width: WIDTH, height, class: "picture" },
    drawn("rect", { width: WIDTH, height, class: "sheet" }), marks);
}
