// What to list, and in which order.

import { element, freshId } from "../../app/dom.js";
import { words } from "../../words/en.js";

export const FILTERS = ["q", "type", "status", "trigger", "from", "to"];
const TYPING = 250;
/** From here on all filters have their place, in pixels (assets/pages.css). */
const WIDE = 832;
const ORDERS = [["createdAt", "desc"], ["createdAt", "asc"], ["size", "desc"], ["size", "asc"], ["type", "asc"], ["type", "desc"]];

/** Filters that a narrow screen shows when asked to, or while one of them is set. */
export function folded(query, names, ...fields) {
  const wide = () => document.querySelector(".rovodev").clientWidth > WIDE;
  const box = element("details", { class: "filters-more", open: wide() || names.some((name) => query[name]) },
    element("summary", {}, words.list.filter), fields);
  new ResizeObserver(() => (box.open ||= wide())).observe(box);
  return box;
}

export function filters(query, changed) {
  let typing;
  const typed = (event) => {
    clearTimeout(typing);
    typing = setTimeout(() => changed({ q: event.target.value }), TYPING);
  };
  const box = (name, input) => {
    input.id = freshId(name);
    return element("div", { class: "field" }, element("label", { for: input.id }, words.list.filters[name]), input);
  };
  const choice = (name, options) => box(name, element("select", { onchange: (event) => changed({ [name]: event.target.value }) },
    element("option", { value: "" }, words.list.any), Object.entries(options).map(([value, text]) =>
      element("option", { value, selected: query[name] === value }, text))));
  const day = (name) => box(name, element("input", { type: "date", value: query[name] ?? "", onchange: (event) => changed({ [name]: event.target.value }) }));
  const order = `${query.sort ?? "createdAt"} ${query.order ?? "desc"}`;
  const sort = box("sort", element("select", {
    onchange: (event) => {
      const [by, way] = event.target.value.split(" ");
      changed({ sort: by, order: way });
    },
  }, ORDERS.map(([by, way]) => element("option", { value: `${by} ${way}`, selected: order === `${by} ${way}` }, words.list.orders[`${by} ${way}`]))));
  const view = box("view", element("select", { onchange: (event) => changed({ view: event.target.value }) },
    ["table", "cards"].map((each) => element("option", { value: each, selected: query.view === each }, words.list.views[each]))));
  const search = box("q", element("input", { type: "search", value: query.q ?? "", oninput: typed }));
  search.classList.add("grow");
  return element("form", { class: "filters", role: "search", onsubmit: (event) => event.preventDefault() }, search, sort, view,
    folded(query, FILTERS.slice(1), choice("type", words.types), choice("status", words.list.statuses),
      choice("trigger", words.triggers), day("from"), day("to")));
}
