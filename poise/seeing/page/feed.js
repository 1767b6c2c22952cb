/**
 * What the program tells, as it tells it: server-sent events read from fetch(), because an EventSource cannot carry the token
 * in a header, and an address must not. A broken line is taken up again, with longer and longer pauses.
 */

/** @typedef {{event: string, data: unknown}} Told */

const PAUSES = [500, 1000, 2000, 4000, 8000]; // milliseconds

/** The token that the address carries behind its "#", where no server and no log sees it. @returns {string} */
export function token() {
  return location.hash.replace(/^#(token=)?/, "");
}

/**
 * @param {string} url
 * @param {AbortSignal} [signal]
 * @returns {Promise<Response>}
 */
export function ask(url, signal) {
  return fetch(url, { headers: { Authorization: `Bearer ${token()}` }, cache: "no-store", ...(signal && { signal }) });
}

/**
 * Events out of pieces of text that end anywhere.
 * @param {(told: Told) => void} tell
 * @returns {(piece: string) => void}
 */
export function parser(tell) {
  let rest = "";
  return (piece) => {
    const blocks = (rest + piece).split(/\r?\n\r?\n/);
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      let event = "message";
      const data = [];
      for (const line of block.split(/\r?\n/)) {
        if (line.startsWith("event:")) event = line.slice(6).trim();
        else if (line.startsWith("data:")) data.push(line.slice(5).trimStart());
      }
      if (data.length) tell({ event, data: JSON.parse(data.join("\n")) });
    }
  };
}

/**
 * Follow the feed until the page goes.
 * @param {string} url
 * @param {(told: Told) => boolean | void} tell true ends it
 * @param {(status: "open" | "lost" | "refused" | "absent") => void} status
 */
export async function follow(url, tell, status) {
  let failed = 0;
  for (;;) {
    const ends = new AbortController();
    let ended = false;
    try {
      const reply = await ask(url, ends.signal);
      if (reply.status === 401 || reply.status === 403) return status("refused");
      if (reply.status === 404) return status("absent");
      if (!reply.ok || !reply.body) throw new Error(String(reply.status));
      status("open");
      failed = 0;
      const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
      const read = parser((told) => {
        ended = tell(told) === true || ended;
      });
      for (let piece = await reader.read(); !piece.done && !ended; piece = await reader.read()) read(piece.value);
    } catch {
      // Whatever the cause, the answer is to try again.
    }
    ends.abort();
    if (ended) return undefined;
    status("lost");
    await new Promise((wake) => setTimeout(wake, PAUSES[Math.min(failed++, PAUSES.length - 1)]));
  }
}
