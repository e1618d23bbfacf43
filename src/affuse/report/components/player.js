// One clock for all that follows a clip: its player, or a mark that is moved by hand where there is none.

import { element } from "./markup.js";

// A player of a recording. `media` is its address, or null; `pictures` says whether it has any.
export function playerOf(content, media) {
  const followers = [], pictures = Boolean(content.streams?.picture);
  let mark = 0;
  const node = media === null ? null : element(pictures ? "video" : "audio", {
    controls: true, playsinline: true, preload: "metadata", src: media,
    "aria-label": `Player of ${content.file}`,
  });
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
    node.addEventListener("loadedmetadata", () => learnLength(node));
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
