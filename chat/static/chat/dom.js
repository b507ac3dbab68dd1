/** Building elements without markup in strings. */

/**
 * @param {string} tag @param {Record<string, any>} [attributes]  `class`, `text`, `on` (listeners), or attributes
 * @param {...(Node | string | null | undefined | false)} children @returns {HTMLElement}
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "text") element.textContent = value;
    else if (name === "on") for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false).map((child) => /** @type {Node} */ (child)));
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

/** An icon of the sprite in the page (`chat/icons.html`). @param {string} name */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", `icon icon-${name}`);
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.append(use);
  return svg;
}

/** @param {Element} place @param {string} name */
export function showIcon(place, name) {
  if (place.getAttribute("data-icon") === name) return;
  place.setAttribute("data-icon", name);
  place.replaceChildren(icon(name));
}

/**
 * The answer's HTML, which the server has rendered and sanitised: the one place where the page takes markup. Links
 * open in a new tab that cannot reach this page; wide tables scroll by themselves.
 * @param {string} html @returns {DocumentFragment}
 */
export function serverHtml(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  for (const link of template.content.querySelectorAll("a[href]")) {
    link.setAttribute("target", "_blank");
    link.setAttribute("rel", "noopener noreferrer nofollow");
  }
  for (const table of template.content.querySelectorAll("table")) {
    const frame = h("div", { class: "wide", tabindex: "0" });
    table.replaceWith(frame);
    frame.append(table);
  }
  return template.content;
}

/** @param {string} html */
export const plainText = (html) => serverHtml(html).textContent?.replace(/\s+/g, " ").trim() ?? "";
