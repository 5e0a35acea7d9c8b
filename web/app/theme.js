// Light, dark, or as the system has it.

import { element, replace } from "./dom.js";
import { icon } from "./icons.js";
import { words } from "../words/en.js";

const KEPT = "rovodev-theme";
const system = matchMedia("(prefers-color-scheme: dark)");

const switched = new EventTarget();

const isDark = () => (document.documentElement.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";

export function restore() {
  const kept = localStorage.getItem(KEPT);
  if (kept === "dark" || kept === "light") document.documentElement.dataset.theme = kept;
}

/** Calls whenever colours change. */
export function onChange(listener, signal) {
  system.addEventListener("change", listener, { signal });
  switched.addEventListener("change", listener, { signal });
}

/** Switches between the two, and remembers it in this browser. */
export function button() {
  const made = element("button", { type: "button", class: "button theme-button" });
  const draw = () => replace(made, icon(isDark() ? "sun" : "moon"), isDark() ? words.frame.light : words.frame.dark);
  made.addEventListener("click", () => {
    const next = isDark() ? "light" : "dark";
    document.documentElement.dataset.theme = next;
    localStorage.setItem(KEPT, next);
    draw();
    switched.dispatchEvent(new Event("change"));
  });
  draw();
  return made;
}

restore();
