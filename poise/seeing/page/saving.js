/** "Save trace": a recording's text goes in, a file comes out; the work is done by a thread of its own. */

import { element } from "./dom.js";

/** @typedef {import("./contract.js").Hello} Hello */

/** @param {string} records as the server wrote them @returns {Promise<Blob>} */
function converted(records) {
  return new Promise((done, fail) => {
    const worker = new Worker(new URL("./trace_worker.js", import.meta.url), { type: "module" });
    worker.addEventListener("message", ({ data }) => {
      worker.terminate();
      done(data);
    });
    worker.addEventListener("error", () => {
      worker.terminate();
      fail(new Error("the trace could not be made"));
    });
    worker.postMessage(records);
  });
}

/** @param {string} records @param {Hello} hello @returns {Promise<string>} the name of the file */
export async function save(records, hello) {
  const made = await converted(records);
  const stamp = new Date().toISOString().slice(0, 19).replace(/[-:]/g, "").replace("T", "-");
  const name = `poise-${hello.pid}-${stamp}.trace.json`;
  const url = URL.createObjectURL(made);
  element("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
  return name;
}
