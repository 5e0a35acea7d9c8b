// An address that leads nowhere.

import { notice } from "../app/parts.js";
import { words } from "../words/en.js";
import { element } from "../app/dom.js";

export default function page({ show }) {
  show(element("h1", { tabindex: "-1" }, words.nowhere.title),
    notice("info", words.nowhere.text, element("a", { class: "button", href: "#/" }, words.nowhere.home)));
}
