/** Where the reader is: `#TOKEN` is the contents, `#TOKEN/silent` an experiment. The token stays in the address and is sent to nobody. */

/** @returns {[string, string]} */
function parts() {
  const [secret = "", ...rest] = location.hash.slice(1).split("/");
  return [secret, rest.join("/")];
}

/** @returns {string} */
export function token() {
  return parts()[0];
}

/** @returns {string} an experiment, or "" */
export function place() {
  return parts()[1];
}

/** @param {string} id an experiment, or "" @returns {string} */
export function link(id) {
  return `#${token()}${id ? `/${id}` : ""}`;
}

/** @param {() => void} listener called when the reader has gone to another place */
export function onPlace(listener) {
  addEventListener("hashchange", listener);
}
