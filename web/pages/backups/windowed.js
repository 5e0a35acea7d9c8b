// A long list of which only what is near the window is there: pieces come when they are near, and leave their room when
// they are far. Every row has its place from the beginning, so that the scroll bar tells the truth.

import { Problem } from "../../app/api.js";
import { append, element, replace } from "../../app/dom.js";
import { failure } from "../../app/parts.js";
import { PAGE } from "../../app/questions.js";

/** Rows of a piece: few, so that drawing one takes no more than a moment; full lines of two, three and four cards, and a
 * page is some of them. */
const PIECE = 24;
const NEAR = "800px 0px";
/** Pieces that fly past are not asked for, in milliseconds. */
const STAYS = 80;

export class Windowed {
  #pieces = [];
  #pages = new Map();
  #waiting = [];
  #rowHeight;

  /**
   * `read(offset)` resolves with the `PAGE` rows from there, `first` are those from 0; `draw(row, place)` makes the
   * element of one; `form` is how pieces look: {piece(), room(height, shown), rowHeight(piece)}.
   */
  constructor({ into, total, first, form, read, draw, signal }) {
    Object.assign(this, { form, read, draw, signal });
    this.sight = new IntersectionObserver((seen) => seen.forEach((each) => this.#see(each)), { rootMargin: NEAR });
    signal.addEventListener("abort", () => this.sight.disconnect(), { once: true });
    this.#pages.set(0, Promise.resolve(first));
    const top = this.#piece(0, total);
    top.items = first.slice(0, PIECE);
    into.append(top.view);
    this.#fill(top);
    this.#rowHeight = form.rowHeight(top.view);
    // One room for all others, until what people look at first is drawn.
    const below = form.piece();
    append(below, [form.room(this.#rowHeight * (total - top.rows))]);
    if (total > top.rows) into.append(below);
    requestAnimationFrame(() => setTimeout(() => signal.aborted || this.#divide(below, total)));
  }

  #piece(at, total) {
    const piece = { at, rows: Math.min(PIECE, total - at * PIECE), view: this.form.piece() };
    this.#pieces.push(piece);
    return piece;
  }

  #divide(below, total) {
    while (this.#pieces.length * PIECE < total) this.#empty(this.#piece(this.#pieces.length, total));
    below.replaceWith(...this.#pieces.slice(1).map((piece) => piece.view));
    this.byView = new Map(this.#pieces.map((piece) => [piece.view, piece]));
    for (const piece of this.#pieces) this.sight.observe(piece.view);
  }

  /** Draws again what is known of a row by another state of it. */
  change(at, row) {
    const piece = this.#pieces[Math.floor(at / PIECE)];
    const inside = at % PIECE;
    if (!piece?.items?.[inside]) return;
    piece.items[inside] = row;
    if (piece.drawn) piece.view.children[inside].replaceWith(this.draw(row, at));
  }

  #see({ target, isIntersecting }) {
    const piece = this.byView.get(target);
    piece.near = isIntersecting;
    if (isIntersecting && piece.items) this.#soon(piece);
    else if (isIntersecting) piece.timer ??= setTimeout(() => this.#fetch(piece), STAYS);
    else this.#leave(piece);
  }

  #leave(piece) {
    clearTimeout(piece.timer);
    piece.timer = undefined;
    // What has the focus stays where it is.
    if (piece.drawn && !piece.view.contains(document.activeElement)) this.#empty(piece);
  }

  async #fetch(piece) {
    piece.timer = undefined;
    if (piece.reading || this.signal.aborted) return;
    piece.reading = true;
    try {
      piece.items = await this.#rows(piece.at * PIECE);
      this.#soon(piece);
    } catch (error) {
      if (this.signal.aborted) return;
      if (!(error instanceof Problem)) throw error;
      replace(piece.view, this.form.room(this.#room(piece), failure(error, () => this.#fetch(piece))));
    } finally {
      piece.reading = false;
    }
  }

  /** One piece per picture, so that the page answers meanwhile. */
  #soon(piece) {
    this.#waiting.push(piece);
    if (this.#waiting.length > 1) return;
    const next = () => {
      const due = this.#waiting[0];
      if (due.near && !this.signal.aborted) this.#fill(due);
      this.#waiting.shift();
      if (this.#waiting.length > 0) requestAnimationFrame(next);
    };
    requestAnimationFrame(next);
  }

  async #rows(from) {
    const at = Math.floor(from / PAGE);
    if (!this.#pages.has(at)) {
      const asked = this.read(at * PAGE);
      asked.catch(() => this.#pages.delete(at));
      this.#pages.set(at, asked);
    }
    const inside = from - at * PAGE;
    return (await this.#pages.get(at)).slice(inside, inside + PIECE);
  }

  #fill(piece) {
    if (piece.drawn) return;
    replace(piece.view, piece.items.map((row, inside) => this.draw(row, piece.at * PIECE + inside)));
    piece.drawn = true;
  }

  #empty(piece) {
    if (piece.drawn) piece.height = piece.view.getBoundingClientRect().height;
    piece.drawn = false;
    replace(piece.view, this.form.room(this.#room(piece)));
  }

  #room(piece) {
    return piece.height ?? this.#rowHeight * piece.rows;
  }
}

/** Pieces of a table, and of a list of cards. */
export const forms = {
  table: (columns) => ({
    piece: () => element("tbody", {}),
    // The newest are often taller than most: with a note, or under way.
    rowHeight: (piece) => piece.lastChild.getBoundingClientRect().height,
    room: (height, shown) => {
      const cell = element("td", { colspan: columns, role: "presentation" }, shown);
      cell.style.height = `${height}px`;
      return element("tr", { class: "room", role: "presentation" }, cell);
    },
  }),
  cards: () => ({
    piece: () => element("div", { class: "piece", role: "presentation" }),
    rowHeight: (piece) => piece.getBoundingClientRect().height / piece.childElementCount,
    room: (height, shown) => {
      const room = element("div", { class: "room", role: "presentation" }, shown);
      room.style.height = `${height}px`;
      return room;
    },
  }),
};
