// What is said, word by word: the word of the moment is marked, and each leads to its moment.

import { inConflict, nameOf, windowAt } from "./answers.js";
import { element } from "./markup.js";

const PAUSE = 1.5;

export function transcriptOf(content, player) {
  const { words } = content, tense = new Set(inConflict(content));
  const marks = words.map((word) => {
    const high = tense.size && tense.has(windowAt(content, word.start));
    return element("span", { class: high ? "word tense" : "word", "data-start": word.start }, word.word);
  });
  const turns = [];
  words.forEach((word, number) => {
    const before = words[number - 1];
    const other = !before || word.speaker !== before.speaker || word.start - before.end > PAUSE;
    if (other) turns.push(element("p", {}, word.speaker ? element("b", {}, `${word.speaker}: `) : null));
    turns.at(-1).append(marks[number], " ");
  });
  const whole = element("div", {
    class: "words", role: "region", tabindex: "0", "aria-label": `What is said in ${nameOf(content)}`,
  }, turns);
  whole.addEventListener("click", (event) => {
    const word = event.target.closest(".word");
    if (word && String(getSelection()) === "") player.seek(Number(word.dataset.start));
  });
  let now = -1;
  player.watch((time) => {
    const next = words.findLastIndex((word) => word.start <= time + 1e-3 && time < word.end + 0.3);
    if (next === now) return;
    marks[now]?.classList.remove("now");
    marks[next]?.classList.add("now");
    now = next;
    if (next >= 0 && !player.paused) keepInView(whole, marks[next]);
  });
  return whole;
}

// Scrolls the words alone, never the page.
function keepInView(whole, mark) {
  const top = mark.offsetTop - whole.offsetTop;
  if (top < whole.scrollTop || top > whole.scrollTop + whole.clientHeight - 40) {
    whole.scrollTop = top - whole.clientHeight / 3;
  }
}
