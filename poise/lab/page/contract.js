/**
 * What the server tells, as types: the experiments (`/lab.json`), and what a run leaves (`poise-lab-1`).
 *
 * @typedef {{en: string, zh: string}} Words one meaning in two languages
 *
 * @typedef {{id: string, text: Words, right: boolean}} Choice
 * @typedef {{name: string, title: Words, many: boolean, available: boolean, file: string, source: string, chinese: string}} Model
 * @typedef {{model: string, who: string, text: Words, before: string, after: string, line: number, source: string, chinese: string,
 *   chinese_before: string}} Variant
 * @typedef {{
 *   id: string, rows: number[], title: Words, question: Words, choices: Choice[], runs: Words, watch: Words, mistake: Words,
 *   takeaway: Words, reading: {title: Words, url: string}[], seconds: number, models: string[], about: string, opens: string, sources: Model[],
 *   variants: Variant[], program: {file: string, source: string},
 * }} Experiment
 * @typedef {{number: number, text: Words, exercises: string[]}} NotesRow
 * @typedef {{system: string, release: string, machine: string, cores: number, python: string, implementation: string, gil: boolean,
 *   container: boolean}} Machine
 * @typedef {{experiments: Experiment[], rows: NotesRow[], machine: Machine}} About
 *
 * @typedef {Record<string, number>} Masks by descriptor
 * @typedef {{
 *   at: number, took: number, who: string, step: "mark" | "submit" | "handle", call: string, fd: number | null, args: string,
 *   result: string, error: string, line: number, times: number, watched: Masks | null, ready: Masks | null, count: number | null,
 * }} Call one complete call between a program and the kernel; `at` and `took` in microseconds
 *
 * @typedef {{label: Words, unit: Words, log: boolean}} Axis
 * @typedef {{name: Words, points: [number, number][]}} Series
 * @typedef {{start: number, end: number, state: string}} Span
 * @typedef {{text: Words, code: string[]}} Note
 * @typedef {{
 *   kind: "lines" | "bars" | "spans" | "lamps", title: Words, x: Axis | null, y: Axis | null, series: Series[], labels: Words[],
 *   rows: {name: Words, spans: Span[]}[], lamps: {name: Words, mask: number}[], bits: [string, number][], notes: Note[],
 * }} Figure
 *
 * @typedef {{text: Words, measured: number, relation: ">=" | "<=" | "==", bound: number, holds: boolean}} Check
 * @typedef {{
 *   format: string, experiment: string, models: string[], seed: number, machine: Machine, started: string, seconds: number,
 *   outcome: "shown" | "not shown" | "cannot" | "failed", reason: Words | null,
 *   prediction: {chosen: string | null, right: string, correct: boolean | null}, claim: Check[], figure: Figure | null,
 *   reference: {machine: Machine, figure: Figure} | null, records: unknown, events: Call[], events_left_out: number,
 * }} Result
 * @typedef {{svg: Record<string, string>, trace: unknown}} Files
 *
 * @typedef {(
 *   {kind: "started", pid: number} | {kind: "progress", done: number, what: string} | {kind: "events", count: number} |
 *   {kind: "cannot" | "failed", text: Words} | {kind: "result", result: Result} | {kind: "files", files: Files}
 * )} Message
 */

export {};
