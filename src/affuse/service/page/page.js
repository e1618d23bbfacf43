// The page: its views, what is dropped on it, and the jobs that it follows.

import * as calls from "./calls.js";
import { clipView } from "./components/clip_view.js";
import { element, refill } from "./components/markup.js";
import { comparisonOf } from "./comparison.js";
import { Entry, Library } from "./library.js";
import { openRecorder } from "./recorder.js";
import { Sender, pairsOf } from "./sending.js";

const at = (id) => document.getElementById(id);
// A browser opens few connections to one host: the others wait for their turn here.
const FOLLOWED = 3, AGAIN = 2000;
// Fields of a job that the page has one of for all clips.
const WAYS = ["checkpoint", "window", "adapt", "faces"];

const library = new Library({
  open: (entry) => { location.hash = `clip=${entry.id}`; },
  compare: (one, other) => { location.hash = `compare=${one.id},${other.id}`; },
  remove,
});
const sender = new Sender(library, follow, needKey);
const toFollow = [];
let following = 0, shown = null, keyGiven = null;

function tell(words) {
  at("problem").hidden = !words;
  at("problem").textContent = words || "";
}

function say(words) {
  at("news").textContent = words;
}

// Does something that asks the service; a refusal is told, a key is asked for once.
async function guarded(work) {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof calls.Refusal)) throw error;
      if (error.status !== 401) {
        tell(error.message);
        return null;
      }
      await needKey(error);
    }
  }
}

// Waits until somebody gives a key.
function needKey() {
  at("key").hidden = false;
  if (!keyGiven) {
    keyGiven = Promise.withResolvers();
    at("key-field").focus();
  }
  return keyGiven.promise;
}

at("key").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    await calls.takeKey(at("key-field").value.trim());
  } catch (error) {
    tell(error.status === 401 ? "This key is not known here; ask whoever runs the service." : error.message);
    at("key-field").select();
    return;
  }
  tell("");
  at("key-field").value = "";
  at("key").hidden = true;
  const given = keyGiven;
  keyGiven = null;
  given?.resolve();
});

// ---- jobs

function follow(entry) {
  toFollow.push(entry);
  followNext();
}

function followNext() {
  while (following < FOLLOWED && toFollow.length) {
    following += 1;
    untilEnded(toFollow.shift()).finally(() => {
      following -= 1;
      followNext();
    });
  }
}

async function untilEnded(entry) {
  const learn = (told) => {
    // A job that is deleted meanwhile tells nothing of itself.
    if (!told.state) return;
    Object.assign(entry, { state: told.state, progress: told.progress ?? 0, error: told.error || null });
    library.changed(entry);
  };
  while (library.entries.includes(entry) && !["done", "failed"].includes(entry.state)) {
    try {
      await calls.follow(entry.id, learn);
      if (!["done", "failed"].includes(entry.state)) learn(await calls.job(entry.id));
    } catch (error) {
      if (error.status === 401) await needKey(error);
      else if (error.status === 404) Object.assign(entry, { state: "failed", error: error.message });
      else await new Promise((resolve) => { setTimeout(resolve, AGAIN); });
    }
  }
  if (entry.state === "done") await learnAnswer(entry);
  library.changed(entry);
  say(`${entry.name}: ${entry.error || entry.words}`);
}

async function learnAnswer(entry) {
  entry.content ??= await guarded(() => calls.result(entry.id));
  return entry.content;
}

async function remove(entry) {
  if (entry.id) {
    const gone = await guarded(async () => {
      await calls.remove(entry.id).catch((error) => {
        if (error.status !== 404) throw error;
      });
      return true;
    });
    if (!gone) return;
  }
  library.drop(entry);
  say(`${entry.name} is removed`);
  at("title").focus();
}

async function learnJobs() {
  const found = await guarded(calls.jobs);
  const known = (found || []).map((job) => {
    const name = job.file || job.name || job.id;
    return Object.assign(new Entry(name, job), { progress: job.progress ?? 0, error: job.error || null });
  });
  library.entries.push(...known.sort((one, other) => (other.made || 0) - (one.made || 0)));
  library.show();
  for (const entry of known) {
    if (entry.state !== "failed") follow(entry);
  }
}

async function learnCheckpoints() {
  const found = await guarded(calls.checkpoints);
  const names = [...new Set((found?.checkpoints || []).map((one) => one.name ?? one))];
  at("choice").hidden = names.length < 2;
  at("checkpoint").append(...names.map((name) => element("option", { value: name }, name)));
}

// ---- views

function clipOf(entry) {
  return [entry.content, calls.media(entry.id), (form) => calls.resultAs(entry.id, form)];
}

async function entryOf(id) {
  let entry = library.find(id);
  if (!entry) {
    const job = await guarded(() => calls.job(id));
    if (!job) return null;
    entry = new Entry(job.file || id, job);
    library.entries.push(entry);
  }
  if (!entry.content && entry.state === "done") await learnAnswer(entry);
  if (!entry.content) tell(`${entry.name} has no answer: it is ${entry.words}`);
  return entry.content ? entry : null;
}

async function route() {
  const [kind, ids = ""] = location.hash.slice(1).split("=");
  const wanted = { clip: 1, compare: 2 }[kind];
  leave();
  if (!wanted) {
    if (kind === "meaning") at("meaning-title").focus();
    return;
  }
  tell("");
  const entries = [];
  for (const id of ids.split(",").slice(0, wanted)) entries.push(await entryOf(decodeURIComponent(id)));
  if (location.hash.slice(1) !== `${kind}=${ids}`) return;
  if (entries.length < wanted || entries.includes(null)) return;
  const view = wanted === 1 ? clipView(...clipOf(entries[0])) : comparisonOf(entries.map(clipOf));
  show(view);
}

function show(view) {
  shown = view;
  at("home").hidden = true;
  at("shown").hidden = false;
  refill(at("shown"), element("p", { class: "back" }, element("a", { href: "#" }, "\u2190 All clips")), view);
  document.title = `${view.heading.textContent} \u2014 affuse`;
  view.heading.focus({ preventScroll: true });
  scrollTo(0, 0);
}

function leave() {
  const before = shown;
  shown?.player?.stop();
  shown?.stop?.();
  shown = null;
  at("shown").replaceChildren();
  at("shown").hidden = true;
  at("home").hidden = false;
  document.title = "affuse";
  if (before) at("title").focus({ preventScroll: true });
}

addEventListener("hashchange", route);

// ---- what is added

function add(files) {
  tell("");
  const { pairs, left } = pairsOf([...files]);
  if (left.length) {
    const names = left.map((file) => file.name).join(", ");
    tell(`${names}: no clip of that name comes with it; choose both together`);
  }
  if (!pairs.length) return;
  if (!at("window").checkValidity()) {
    at("ways").open = true;
    tell("A window has 1 to 60 seconds: change that under \u201cHow clips are read\u201d, and add the clip again");
    at("window").focus();
    return;
  }
  const text = pairs.length === 1 ? at("said").value.trim() : "";
  const ways = Object.fromEntries(WAYS.map((name) => [name, at(name).value]));
  sender.add(pairs, { text, ways });
  at("said").value = "";
  say(`${pairs.length} clip${pairs.length === 1 ? " is" : "s are"} added`);
}

at("choose").addEventListener("click", () => at("files").click());
at("files").addEventListener("change", () => {
  add(at("files").files);
  at("files").value = "";
});
at("record").addEventListener("click", () => openRecorder(at("recorder"), (file) => add([file])));

// Anywhere on the page will do.
for (const event of ["dragenter", "dragover"]) {
  document.addEventListener(event, (moved) => {
    if (!moved.dataTransfer.types.includes("Files")) return;
    moved.preventDefault();
    at("drop").classList.add("over");
  });
}
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) at("drop").classList.remove("over");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  at("drop").classList.remove("over");
  if (!event.dataTransfer.files.length) return;
  if (shown) location.hash = "";
  add(event.dataTransfer.files);
});

await Promise.all([learnJobs(), learnCheckpoints(), route()]);
