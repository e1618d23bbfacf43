// The page of one clip: its answer stands in the page itself.

import { clipView } from "./clip_view.js";

const page = JSON.parse(document.getElementById("answer").textContent);
const options = { notice: page.notice };
document.querySelector("main").append(clipView(page.content, page.media ? [page.media] : [], (form) => page.files[form], options));
