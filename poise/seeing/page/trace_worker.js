/** The conversion of a recording, off the page's own thread: a whole ring takes a while. */

import { trace } from "./trace.js";

addEventListener("message", ({ data }) => {
  const made = new Blob([JSON.stringify(trace(JSON.parse(data)))], { type: "application/json" });
  postMessage(made);
});
