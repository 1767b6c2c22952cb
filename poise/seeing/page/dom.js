/**
 * Elements, made and kept up to date. Text goes in as text and never as markup, and what has not changed is not touched:
 * a page that is told something four times a second must not make the browser lay it out four times a second.
 */

const SVG = "http://www.w3.org/2000/svg";
const TURNING = /[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/**
 * A name may be anybody's, and must not turn around the letters of the sentence that it stands in.
 * @param {string} text
 */
export const plain = (text) => text.replace(TURNING, "\ufffd");

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, string | number | boolean | null>} [about] its attributes; null and false leave one out
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function element(tag, about = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(about)) mark(made, name, value);
  made.append(...children.map((child) => (typeof child === "string" ? plain(child) : child)));
  return made;
}

/**
 * @template {keyof SVGElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, string | number | boolean | null>} [about]
 * @param {...Node} children
 * @returns {SVGElementTagNameMap[K]}
 */
export function drawn(tag, about = {}, ...children) {
  const made = /** @type {SVGElementTagNameMap[K]} */ (document.createElementNS(SVG, tag));
  for (const [name, value] of Object.entries(about)) mark(made, name, value);
  made.append(...children);
  return made;
}

/**
 * Set an attribute, or take it away with null or false.
 * @param {Element} node
 * @param {string} name
 * @param {string | number | boolean | null} value
 */
export function mark(node, name, value) {
  if (value === null || value === false) {
    if (node.hasAttribute(name)) node.removeAttribute(name);
    return;
  }
  const text = value === true ? "" : plain(String(value));
  if (node.getAttribute(name) !== text) node.setAttribute(name, text);
}

/**
 * Set the text of an element that holds nothing else.
 * @param {Element} node
 * @param {string} text
 */
export function say(node, text) {
  const said = plain(text);
  if (node.textContent !== said) node.textContent = said;
}

/**
 * The element with this id, which the page is known to have.
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found;
}

/** @type {WeakMap<Element, Map<string, Element>>} */
const kept = new WeakMap();

/**
 * Make the children of `parent` be those of `items`, in their order. An item that was there keeps its element, and an element
 * that stands right is not moved, so focus, selection and what is unfolded stay.
 *
 * @template T
 * @param {Element} parent
 * @param {Iterable<T>} items
 * @param {(item: T, index: number) => string} key
 * @param {(item: T) => Element} make
 * @param {(node: Element, item: T) => void} [renew]
 */
export function keyed(parent, items, key, make, renew) {
  const before = kept.get(parent) ?? new Map();
  /** @type {Map<string, Element>} */
  const after = new Map();
  let place = parent.firstElementChild;
  let index = 0;
  for (const item of items) {
    const name = key(item, index++);
    const node = before.get(name) ?? make(item);
    renew?.(node, item);
    after.set(name, node);
    if (node === place) place = node.nextElementSibling;
    else parent.insertBefore(node, place);
  }
  for (const [name, node] of before) if (!after.has(name)) node.remove();
  kept.set(parent, after);
}
