// One clock for all that follows a clip: its player, or a mark that is moved by hand where there is none.

import { clock } from "./answers.js";
import { element } from "./markup.js";

// A player of a recording. `media` are its addresses, tried in this order; `onFault` is told in words
// what is lost.
export function playerOf(content, media, onFault) {
  const followers = [], pictures = Boolean(content.streams?.picture), left = [...media];
  let mark = 0;
  const node = media.length ? element(pictures ? "video" : "audio", {
    controls: true, playsinline: true, preload: "metadata", src: left.shift(),
    "aria-label": `Player of ${content.file}`,
  }) : null;
  const player = {
    node,
    pictures,
    get time() { return node && !node.error ? node.currentTime : mark; },
    get paused() { return !node || node.paused; },
    watch(follow) {
      followers.push(follow);
      follow(player.time);
    },
    seek(time) {
      mark = time;
      if (node) node.currentTime = Math.min(time, content.duration);
      tell();
    },
    toggle() {
      if (!node) return;
      if (node.paused) node.play().catch(() => {});
      else node.pause();
    },
    stop() {
      if (node) node.pause();
    },
  };

  function tell() {
    for (const follow of followers) follow(player.time);
  }
  function run() {
    tell();
    if (!player.paused && node.isConnected) requestAnimationFrame(run);
  }
  if (node) {
    node.addEventListener("play", run);
    for (const event of ["seeked", "timeupdate", "pause"]) node.addEventListener(event, tell);
    node.addEventListener("loadedmetadata", () => {
      learnLength(node);
      if (node.duration < content.duration - 2) onFault(`Only the first ${clock(node.duration)} can be played.`);
    });
    node.addEventListener("error", () => {
      if (left.length) node.src = left.shift();
      else onFault("This browser cannot play the recording; its answer is below.");
    });
  }
  return player;
}

// What a browser has recorded does not say how long it is, and cannot be sought in until that is known.
function learnLength(node) {
  if (node.duration !== Infinity) return;
  const back = () => {
    node.removeEventListener("durationchange", back);
    node.currentTime = 0;
  };
  node.addEventListener("durationchange", back);
  node.currentTime = 1e7;
}
