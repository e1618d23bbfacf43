// The service's calls. Every address is relative, so that the page works below any path.

const KEPT = "affuse key";

// What the service refuses, in its own words.
export class Refusal extends Error {
  constructor(status, words, wait = null) {
    super(words);
    Object.assign(this, { status, wait });
  }
}

// Takes a key for this tab; a refusal where the service does not know it. Players send no headers:
// for them the service keeps it in a cookie that no script can read.
export async function takeKey(key) {
  sessionStorage.setItem(KEPT, key);
  try {
    await ask("v1/session", { method: "POST" });
  } catch (error) {
    sessionStorage.removeItem(KEPT);
    throw error;
  }
}

function headers() {
  const key = sessionStorage.getItem(KEPT);
  return key ? { Authorization: `Bearer ${key}` } : {};
}

// A refusal from an answer's status and text, whatever form its text has.
function refusalOf(status, text, wait) {
  let words = "";
  try {
    const said = JSON.parse(text);
    const line = said.error ?? said.detail;
    words = Array.isArray(line) ? line.map((one) => one.msg).join("; ") : line;
  } catch { /* no JSON: a proxy's page, which says nothing to a reader */ }
  const seconds = Number.parseInt(wait, 10);
  return new Refusal(status, words || `the service answers ${status}; try again later`,
    Number.isFinite(seconds) ? seconds : null);
}

const UNREACHED = "the service cannot be reached; start affuse serve, or try again";

async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, { ...options, headers: headers() });
  } catch {
    throw new Refusal(0, UNREACHED);
  }
  if (!answer.ok) throw refusalOf(answer.status, await answer.text(), answer.headers.get("Retry-After"));
  return answer;
}

const place = (id) => `v1/jobs/${encodeURIComponent(id)}`;

export async function jobs() {
  const found = await (await ask("v1/jobs")).json();
  return Array.isArray(found) ? found : found.jobs;
}

export async function job(id) {
  return (await ask(place(id))).json();
}

export async function result(id) {
  return (await ask(`${place(id)}/result`)).json();
}

export async function resultAs(id, form) {
  return (await ask(`${place(id)}/result?format=${form}`)).text();
}

// Where a clip can be played from: as it was sent, else as it is made for browsers.
export function media(id) {
  return [`${place(id)}/media`, `${place(id)}/media?form=playable`];
}

export async function remove(id) {
  await ask(place(id), { method: "DELETE" });
}

export async function checkpoints() {
  return (await ask("v1/checkpoints")).json();
}

// Sends a clip. `onShare` is told which share is sent: fetch cannot tell that, so this is no fetch.
export function send(form, onShare) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", "v1/jobs");
    for (const [name, value] of Object.entries(headers())) request.setRequestHeader(name, value);
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) onShare(event.loaded / event.total);
    });
    request.addEventListener("load", () => {
      if (request.status >= 200 && request.status < 300) resolve(JSON.parse(request.responseText));
      else reject(refusalOf(request.status, request.responseText, request.getResponseHeader("Retry-After")));
    });
    request.addEventListener("error", () => reject(new Refusal(0, UNREACHED)));
    request.send(form);
  });
}

// Tells each state of a job as the service sends it, until it has ended.
export async function follow(id, onState) {
  const answer = await ask(`${place(id)}/events`);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    held += value.replaceAll("\r", "");
    const events = held.split("\n\n");
    held = events.pop();
    for (const event of events) {
      const lines = event.split("\n").filter((line) => line.startsWith("data:"));
      if (lines.length) onState(JSON.parse(lines.map((line) => line.slice(5)).join("\n")));
    }
  }
}
