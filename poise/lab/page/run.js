/** A run: asked for by a POST, told as server-sent events. When it is stopped, or the page goes, its processes end with it. */

import { parser } from "../../seeing/page/feed.js";
import { token } from "./route.js";
import { remember } from "./session.js";

/** @typedef {import("./contract.js").Message} Message */
/** @typedef {import("./contract.js").Experiment} Experiment */
/** @typedef {import("./session.js").Session} Session */
/** @typedef {{experiment: string, models: string[], seed: number, prediction: string | null}} Job */

/** The server does not run it: its status, and what it says. */
class Refused extends Error {
  /** @param {number} status @param {string} said */
  constructor(status, said) {
    super(said);
    this.status = status;
  }
}

/** Run what the session has chosen, one run at a time; the session is told. @param {Experiment} experiment @param {Session} session */
export async function start(experiment, session) {
  if (session.signal) return;
  const signal = new AbortController();
  Object.assign(session, { signal, status: "running", done: 0, what: "", refusal: null, result: null, files: null, film: null });
  session.changed(false);
  const models = session.models.length === experiment.models.length ? [] : session.models;
  try {
    await follow({ experiment: experiment.id, models, seed: 1, prediction: session.chosen }, signal.signal, (message) => {
      if (message.kind === "result") session.result = message.result;
      else if (message.kind === "files") session.files = message.files;
      else if (message.kind === "progress") Object.assign(session, { done: message.done, what: message.what });
      session.changed(false);
    });
    session.status = session.result ? "done" : "refused";
  } catch (error) {
    session.status = signal.signal.aborted ? "idle" : "refused";
    session.refusal = error instanceof Refused ? { status: error.status, said: error.message } : null;
  }
  session.signal = null;
  if (session.result) remember(experiment.id, session.result.prediction.correct);
  session.changed(session.result !== null);
}

/** @param {Session} session */
export function stop(session) {
  session.signal?.abort();
}

/**
 * @param {Job} job
 * @param {AbortSignal} signal
 * @param {(message: Message) => void} tell
 */
async function follow(job, signal, tell) {
  const reply = await fetch("/run", {
    method: "POST",
    headers: { Authorization: `Bearer ${token()}`, "Content-Type": "application/json" },
    body: JSON.stringify(job),
    signal,
  });
  if (!reply.ok || !reply.body) throw new Refused(reply.status, (await reply.text()).trim());
  const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
  const read = parser(({ data }) => tell(/** @type {Message} */ (data)));
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) read(piece.value);
}
