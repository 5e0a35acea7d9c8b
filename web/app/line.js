// Whether the service can be reached, and what is shown while it cannot.

import { replace, element } from "./dom.js";
import { icon } from "./icons.js";
import { api } from "./config.js";
import { words } from "../words/en.js";

const BETWEEN = 3000;

export class Line {
  #broken = false;

  /** `back` is called when the service answers again. */
  constructor(banner, back) {
    this.banner = banner;
    this.back = back;
    addEventListener("offline", () => this.tell(false));
    addEventListener("online", () => this.#ask());
    if (!navigator.onLine) this.tell(false);
  }

  tell(well) {
    if (well !== this.#broken) return;
    this.#broken = !well;
    replace(this.banner, !well && [icon("cloud"), element("span", {}, navigator.onLine ? words.line.unreachable : words.line.offline)]);
    if (well) this.back();
    else this.#later();
  }

  #later() {
    setTimeout(() => this.#broken && this.#ask(), BETWEEN);
  }

  async #ask() {
    try {
      const place = await api("/status/health?probe=live");
      const told = await fetch(place, { cache: "no-store", signal: AbortSignal.timeout(5000) });
      if (!told.ok) throw new Error(`HTTP ${told.status}`);
      this.tell(true);
    } catch {
      if (this.#broken) this.#later();
      else this.tell(false);
    }
  }
}
