// Files to jobs: which transcript goes with which clip, two at a time, and again where the service is full.

import { Refusal, send } from "./calls.js";
import { Entry } from "./library.js";

const AT_ONCE = 2, TRANSCRIPTS = /\.(srt|vtt|json|txt|ass|ssa|ttml|sbv|csv|tsv)$/i;
const stemOf = (name) => name.replace(/\.[^.]*$/, "").toLowerCase();

// Clips with their transcripts: those of the same name, or with a language between (`a.en.srt`).
export function pairsOf(files) {
  const clips = files.filter((file) => !TRANSCRIPTS.test(file.name));
  const left = files.filter((file) => TRANSCRIPTS.test(file.name));
  const pairs = clips.map((clip) => {
    const fits = (file) => [stemOf(clip.name), clip.name.toLowerCase()].some(
      (stem) => stemOf(file.name) === stem || stemOf(stemOf(file.name)) === stem,
    );
    const place = left.findIndex(fits);
    return { clip, transcript: place < 0 ? null : left.splice(place, 1)[0] };
  });
  return { pairs, left };
}

export class Sender {
  // `onSent(entry)` is called once a clip has become a job, `onNeed(error)` where a key is needed.
  constructor(library, onSent, onNeed) {
    Object.assign(this, { library, onSent, onNeed, waiting: [], busy: 0 });
  }

  // `ways` are the other fields of each job; an empty one is not sent.
  add(pairs, { text = "", ways = {} } = {}) {
    for (const { clip, transcript } of pairs) {
      const entry = new Entry(clip.name);
      this.library.add(entry);
      this.waiting.push({ entry, clip, transcript, text, ways });
    }
    this.next();
  }

  next() {
    while (this.busy < AT_ONCE && this.waiting.length) {
      this.busy += 1;
      this.send(this.waiting.shift()).finally(() => {
        this.busy -= 1;
        this.next();
      });
    }
  }

  async send(task) {
    const { entry, clip, transcript, text, ways } = task;
    const form = new FormData();
    // Fields first: a service that streams knows them before the clip comes.
    if (transcript) form.append("transcript", transcript, transcript.name);
    else if (text) form.append("text", text);
    for (const [name, value] of Object.entries(ways)) if (value) form.append(name, value);
    form.append("file", clip, clip.name);
    try {
      const { id, state } = await send(form, (share) => {
        Object.assign(entry, { progress: share, wait: "" });
        this.library.changed(entry);
      });
      Object.assign(entry, { id, state, progress: 0 });
      this.library.changed(entry);
      this.onSent(entry);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      await this.refused(task, error);
    }
  }

  async refused(task, error) {
    const { entry } = task;
    if (error.status === 401) {
      entry.wait = "waits for a key";
      this.library.changed(entry);
      await this.onNeed(error);
      this.waiting.unshift(task);
    } else if (error.status === 429 || error.status === 503) {
      const wait = error.wait ?? 10;
      entry.wait = `${error.message}: tried again in ${wait} s`;
      this.library.changed(entry);
      await new Promise((resolve) => { setTimeout(resolve, 1000 * wait); });
      this.waiting.unshift(task);
    } else {
      Object.assign(entry, { state: "failed", error: error.message });
      this.library.changed(entry);
    }
  }
}
