// Texts of any length: a part is shown, and more of it on demand.

import { button, el, folded, said, scrolling, spelled, whole } from "./dom.js";
import { count } from "./words.js";

const FIRST = 12_000;
const STEP = 100_000;

/** The text, as far as it is short; buttons show the rest in steps. */
export function longText(text, attributes = {}) {
  return inSteps([{ text, tag: "span" }], attributes);
}

/** The same of a text in pieces, `{text, tag}`, each in an element of its own. */
export function inSteps(pieces, attributes = {}) {
  const holder = scrolling(el("div", { class: "text", role: "group", "aria-label": "Text", ...attributes }));
  const waiting = pieces.filter((piece) => piece.text !== "").reverse();
  let left = pieces.reduce((sum, piece) => sum + piece.text.length, 0);
  const more = button("", () => grow(STEP), { class: "more" });
  function grow(by) {
    for (let room = Math.min(by, left); room > 0;) {
      const { text, tag } = waiting.pop();
      const end = whole(text, Math.min(text.length, room));
      const part = el(tag, { class: "chunk" });
      part.textContent = spelled(text.slice(0, end));
      more.before(part);
      if (end < text.length) waiting.push({ text: text.slice(end), tag });
      room -= end;
      left -= end;
    }
    if (left === 0) more.remove();
    else more.textContent = `Show ${count(Math.min(left, STEP))} more characters of ${count(left)} not shown`;
  }
  holder.append(more);
  grow(left <= FIRST * 1.5 ? left : FIRST);
  return holder;
}

/** The text in its line where it is short; else its beginning, which opens. */
export function atLength(text, longest) {
  return text.length <= longest ? said(text, longest) : folded([said(text, longest)], () => longText(text));
}
