// What stands around every page: name, navigation, theme, account.

import { append, element, replace } from "./dom.js";
import { icon } from "./icons.js";
import { address, here, keptTop } from "./router.js";
import { choose, may, person, tenant, tenants } from "./workspace.js";
import * as theme from "./theme.js";
import { words } from "../words/en.js";

const PAGES = [["home", "/", "home"], ["backups", "/backups", "list"], ["schedules", "/schedules", "clock"], ["activity", "/activity", "log"]];

export class Frame {
  isOut = true;
  #place;

  constructor(root, { out, chosen }) {
    this.root = root;
    this.out = out;
    this.chosen = chosen;
    this.name = element("span", { class: "app-name" });
    this.banner = element("div", { class: "banner", role: "status" });
    this.nav = element("nav", { class: "nav", "aria-label": words.frame.navigation });
    this.account = element("div", { class: "account" });
    this.main = element("main", { class: "main", id: "rovodev-main" });
    const toMain = (event) => {
      event.preventDefault();
      this.main.querySelector("h1")?.focus();
    };
    this.parts = [
      element("header", { class: "header" },
        element("a", { class: "skip", href: "#rovodev-main", onclick: toMain }, words.frame.skip),
        element("div", { class: "header-inner" },
          element("a", { class: "brand", href: "#/" }, icon("restore", "icon brand-mark"), this.name), this.nav, this.account)),
      this.banner, this.main, element("div", { class: "toasts", role: "status", "aria-live": "polite" })];
    this.named("");
  }

  named(app) {
    this.app = app;
    replace(this.name, words.frame.name(app));
  }

  /** With the first thing shown comes all around it, in one piece: what the page itself shows before stays until then. */
  show(...shown) {
    if (this.parts) replace(this.root, this.parts);
    this.parts = undefined;
    const inside = this.main.contains(document.activeElement);
    replace(this.main, shown);
    // What had the focus is gone: it is not lost, but where the page begins.
    if (inside) this.#begin();
  }

  /** Whoever follows a link inside is where the page begins, also without seeing it. */
  arrived() {
    const place = here().path;
    if (this.#place !== undefined && this.#place !== place && !this.main.contains(document.activeElement)) this.#begin();
    this.#place = place;
  }

  #begin() {
    this.main.querySelector("h1")?.focus({ preventScroll: true });
    scrollTo(0, keptTop());
  }

  current(name) {
    for (const link of this.nav.querySelectorAll("a")) {
      const own = link.dataset.page === name;
      if (own) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
  }

  signedIn() {
    this.isOut = false;
    replace(this.nav, PAGES.map(([name, path, picture]) =>
      element("a", { href: address(path), "data-page": name }, icon(picture), words.titles[name])));
    replace(this.account, this.#menu());
    this.root.classList.add("signed-in");
  }

  signedOut() {
    this.isOut = true;
    this.root.classList.remove("signed-in");
    replace(this.nav);
    replace(this.account, theme.button());
  }

  #menu() {
    const chosen = tenant();
    const menu = element("div", { class: "menu", popover: "auto", id: "rovodev-account" });
    append(menu, [
      element("p", { class: "menu-person" }, element("strong", {}, person()),
        chosen && element("span", { class: "soft" }, words.frame.role(words.roles[chosen.role], chosen.name))),
      tenants().length > 1 && this.#tenants(chosen),
      may("operator") && element("a", { class: "button", href: address("/settings"), onclick: () => menu.hidePopover() }, icon("bell"), words.titles.settings),
      theme.button(),
      element("button", { type: "button", class: "button", onclick: this.#leave }, words.frame.signOut),
      element("p", { class: "hint" }, words.frame.signOutHint)]);
    const opener = element("button", { type: "button", class: "button bare account-button", popovertarget: menu.id },
      icon("user"), element("span", { class: "account-name" }, chosen && chosen.name !== this.app ? chosen.name : person()));
    return [opener, menu];
  }

  #tenants(chosen) {
    const pick = (event) => {
      choose(event.target.value);
      this.signedIn();
      location.hash = "#/";
      this.chosen();
    };
    return element("div", { class: "field" }, element("label", { for: "rovodev-tenant" }, words.frame.tenant),
      element("select", { id: "rovodev-tenant", onchange: pick }, tenants().map((each) =>
        element("option", { value: each.slug, selected: each.slug === chosen.slug }, each.name))));
  }

  #leave = async (event) => {
    event.target.disabled = true;
    await this.out();
  };
}
