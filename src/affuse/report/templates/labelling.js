"use strict";
// The server keeps order and labels; the page knows which clip it shows.
const at = (id) => document.getElementById(id);
let state = null, place = 0, shown = null, busy = false, touched = false;

async function ask(path, body) {
  const options = body === undefined ? {} : {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  };
  let answer, content;
  try {
    answer = await fetch(path, options);
    content = await answer.json();
  } catch {
    throw new Error("affuse label has ended: start it again, and open its new address");
  }
  if (!answer.ok) throw new Error(content.error);
  return content;
}

function tell(problem) {
  at("problem").hidden = !problem;
  at("problem").textContent = problem || "";
}

// One thing at a time: a key that is pressed twice must not label the next clip too.
async function once(work) {
  if (busy) return;
  busy = true;
  try {
    tell("");
    await work();
  } catch (error) {
    tell(error.message);
  } finally {
    busy = false;
  }
}

function player() {
  return shown && shown.pictures ? at("video") : at("audio");
}

function toggle() {
  const media = player();
  if (!media.paused) return media.pause();
  if (shown.end !== null && media.currentTime >= shown.end - 0.05) media.currentTime = shown.start;
  if (media.currentTime < shown.start - 0.05) media.currentTime = shown.start;
  media.play().catch(() => {});
}

// A clip may be a part of its recording.
function watch(media) {
  const stop = () => {
    if (!shown || media !== player() || shown.end === null) return;
    if (media.currentTime >= shown.end && !media.paused) media.pause();
    if (!media.paused) requestAnimationFrame(stop);
  };
  media.addEventListener("play", () => requestAnimationFrame(stop));
  media.addEventListener("timeupdate", stop);
  media.addEventListener("loadedmetadata", () => {
    if (shown && shown.start > 0) media.currentTime = shown.start;
    if (touched) media.play().catch(() => {});
  });
  media.addEventListener("error", () => {
    if (media.getAttribute("src")) tell("this browser cannot play the clip");
  });
}

function showState() {
  const labelled = state.total - state.left;
  at("folder").textContent = state.folder;
  at("count").textContent = `${labelled} of ${state.total} labelled`;
  at("progress").max = state.total;
  at("progress").value = labelled;
  at("finished").hidden = state.left > 0;
  at("undo").disabled = !state.undoes;
  at("back").disabled = place <= 0;
  at("on").disabled = place >= state.order.length - 1;
  const label = state.labels[place];
  for (const button of at("choices").children) {
    button.setAttribute("aria-pressed", String(button.dataset.label === label));
  }
  if (state.bounds) at("number").value = label;
}

function makeChoices() {
  at("choices").replaceChildren(...state.choices.map((choice, number) => {
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.label = choice;
    if (number < state.keys) {
      const key = document.createElement("kbd");
      key.textContent = String(number + 1);
      button.append(key);
      button.setAttribute("aria-keyshortcuts", String(number + 1));
    }
    button.append(` ${choice}`);
    button.addEventListener("click", () => label(choice));
    return button;
  }));
  at("exact").hidden = !state.bounds;
  if (state.bounds) [at("number").min, at("number").max] = state.bounds;
}

async function show() {
  if (!state.order.length) return showState();
  const number = state.order[place];
  const changed = !shown || shown.number !== number;
  if (changed) {
    shown = await ask(`clips/${number}`);
    for (const media of [at("video"), at("audio")]) {
      media.pause();
      media.removeAttribute("src");
      media.load();
      media.hidden = true;
    }
    at("clip").hidden = false;
    at("name").textContent = shown.name;
    at("about").textContent = [shown.why, shown.notice].filter(Boolean).join("; ");
    at("words").value = shown.words || "";
    at("words").placeholder = shown.words ? "" : "No words are known.";
    at("play").disabled = Boolean(shown.error);
    if (shown.error) {
      tell(shown.error);
    } else {
      player().hidden = false;
      player().src = `media/${number}`;
    }
  }
  showState();
  // What comes next is converted meanwhile.
  const next = state.order[place + 1];
  if (changed && next !== undefined) fetch(`clips/${next}`).catch(() => {});
}

function nextUnlabelled() {
  const count = state.order.length;
  for (let step = 1; step <= count; step += 1) {
    if (!state.labels[(place + step) % count]) return (place + step) % count;
  }
  return place;
}

function label(choice) {
  touched = true;
  return once(async () => {
    if (!shown) return;
    state = await ask("label", { clip: shown.number, label: choice });
    place = nextUnlabelled();
    await show();
  });
}

function move(by) {
  return once(async () => {
    place = Math.min(Math.max(place + by, 0), state.order.length - 1);
    await show();
  });
}

function skip() {
  return once(async () => {
    if (!shown) return;
    state = await ask("skip", { clip: shown.number });
    place = Math.min(place, state.order.length - 1);
    await show();
  });
}

function undo() {
  return once(async () => {
    state = await ask("undo", {});
    if (state.undone !== null) place = Math.max(state.order.indexOf(state.undone), 0);
    await show();
  });
}

const KEYS = {
  ArrowLeft: () => move(-1), ArrowRight: () => move(1), s: skip, u: undo, " ": toggle,
};

document.addEventListener("keydown", (event) => {
  const kind = event.target.tagName;
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || !state) return;
  if (kind === "INPUT" || (kind === "BUTTON" && event.key === " ")) return;
  const choice = /^[1-9]$/.test(event.key) ? state.choices[Number(event.key) - 1] : undefined;
  const act = KEYS[event.key] || KEYS[event.key.toLowerCase()];
  if (choice === undefined && !act) return;
  if (event.key === " " && (!shown || shown.error)) return;
  event.preventDefault();
  touched = true;
  if (choice !== undefined) label(choice);
  else act();
});

// After a click, keys are for the clip again; whoever came by Tab stays where they are.
document.addEventListener("click", (event) => {
  touched = true;
  if (event.detail > 0 && event.target.closest("button")) document.activeElement.blur();
});

for (const [id, act] of [["back", () => move(-1)], ["on", () => move(1)], ["skip", skip],
  ["undo", undo], ["play", toggle]]) at(id).addEventListener("click", act);
at("exact").addEventListener("submit", (event) => {
  event.preventDefault();
  label(at("number").value);
  document.activeElement.blur();
});
watch(at("video"));
watch(at("audio"));
once(async () => {
  state = await ask("state");
  place = Math.max(state.labels.findIndex((given) => !given), 0);
  makeChoices();
  await show();
});
