// The one way to build elements. Text is text: nothing here reads HTML.

const SVG = "http://www.w3.org/2000/svg";
const PROPERTIES = new Set(["value", "checked", "disabled", "indeterminate", "open", "selected"]);

/** Attributes that begin with "on" are listeners; null, undefined and false leave an attribute out. */
export function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (PROPERTIES.has(name)) made[name] = value;
    else made.setAttribute(name, value === true ? "" : String(value));
  }
  append(made, children);
  return made;
}

/** Lists are flattened, and what is nothing is left out, so that parts can be conditions. */
export function append(parent, children) {
  parent.append(...[children].flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return parent;
}

export function replace(parent, ...children) {
  parent.replaceChildren();
  return append(parent, children);
}

/** A picture of lines in a square of 24, drawn in the colour of the text around it. */
export function drawing(lines, className = "icon") {
  const made = document.createElementNS(SVG, "svg");
  made.setAttribute("viewBox", "0 0 24 24");
  made.setAttribute("class", className);
  made.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", lines);
  made.append(path);
  return made;
}

let named = 0;

/** An id that no other element has. */
export function freshId(prefix) {
  named += 1;
  return `${prefix}-${named}`;
}
