// A recording from this machine's camera and microphone.

import { button, element } from "./components/markup.js";
import { clock } from "./components/answers.js";

const KINDS = ["video/webm;codecs=vp9,opus", "video/webm;codecs=vp8,opus", "video/webm", "video/mp4"];
const SOUNDS = ["audio/webm;codecs=opus", "audio/webm", "audio/mp4"];

// Shows the recorder in a section; `onFile` is given what was recorded as a file.
export function openRecorder(section, onFile) {
  const view = element("video", { muted: true, playsinline: true, "aria-label": "Picture of the camera" });
  view.muted = true;
  const time = element("output", { class: "record-time" }, "0:00");
  const problem = element("p", { class: "problem", role: "alert", hidden: true });
  const camera = element("input", { type: "checkbox", id: "with-camera", checked: true });
  // Devices that are let go end a recording too: only the button says that it is wanted.
  let stream = null, taken = null, begun = 0, timer = 0, wanted = false;

  const begin = button("Start", start, { class: "main" });
  const end = button("Stop and read it", () => {
    wanted = true;
    taken.stop();
  }, { class: "main", hidden: true });
  const close = button("Close", shut);
  section.replaceChildren(
    element("h2", { id: "recorder-title", tabindex: "-1" }, "Record"),
    element("p", {}, "Camera and microphone of this machine. Nothing is sent before you stop, or at all if you close this."),
    problem, element("div", { class: "screen" }, view),
    element("p", { class: "row" }, begin, end, close, time,
      element("span", { class: "tick" }, camera, element("label", { for: "with-camera" }, "with picture"))));
  section.hidden = false;
  section.querySelector("h2").focus();

  function tell(words) {
    problem.hidden = false;
    problem.textContent = words;
  }

  async function start() {
    problem.hidden = true;
    if (!navigator.mediaDevices || !window.MediaRecorder) {
      tell("Browsers record on this machine's own address or over https alone: open the page there, or choose a file.");
      return;
    }
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: camera.checked });
    } catch (error) {
      const missing = error.name === "NotFoundError";
      tell(missing ? "No camera or no microphone was found: connect it, or record without picture."
        : `The browser does not give camera and microphone (${error.name}): allow them beside its address field.`);
      return;
    }
    const kinds = camera.checked ? KINDS : SOUNDS, pieces = [];
    const type = kinds.find((kind) => MediaRecorder.isTypeSupported(kind)) || "";
    taken = new MediaRecorder(stream, type ? { mimeType: type } : {});
    taken.addEventListener("dataavailable", (event) => pieces.push(event.data));
    taken.addEventListener("stop", () => {
      if (!wanted) return;
      const file = fileOf(pieces, taken.mimeType);
      shut();
      onFile(file);
    });
    view.srcObject = stream;
    await view.play().catch(() => {});
    taken.start(1000);
    begun = performance.now();
    timer = setInterval(() => { time.textContent = clock((performance.now() - begun) / 1000); }, 250);
    [begin.hidden, end.hidden, camera.disabled] = [true, false, true];
    end.focus();
  }

  function shut() {
    clearInterval(timer);
    for (const track of stream?.getTracks() || []) track.stop();
    section.hidden = true;
    section.replaceChildren();
    document.getElementById("record").focus();
  }
}

function fileOf(pieces, type) {
  const plain = type.split(";")[0], when = new Date();
  const day = [when.getFullYear(), when.getMonth() + 1, when.getDate()];
  const moment = [when.getHours(), when.getMinutes(), when.getSeconds()];
  const two = (number) => String(number).padStart(2, "0");
  const name = `recording ${day.map(two).join("-")} ${moment.map(two).join(".")}`;
  return new File(pieces, `${name}.${plain.endsWith("mp4") ? "mp4" : "webm"}`, { type: plain });
}
