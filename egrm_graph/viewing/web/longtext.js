// Texts of any length, shown in steps on demand.

import { button, el, folded, isolated, scrolling, escaped, characterEnd } from "./dom.js";
import { count } from "./words.js";

const FIRST = 12_000;
const STEP = 100_000;

/** Show the start of the text, with a button for the next part. */
export function longText(text, attributes = {}) {
  return inSteps([{ text, tag: "span" }], attributes);
}

/** Like `longText`, for pieces `{text, tag}` that each get their own element. */
export function inSteps(pieces, attributes = {}) {
  const holder = scrolling(el("div", { class: "text", role: "group", "aria-label": "Text", ...attributes }));
  const remaining = pieces.filter((piece) => piece.text !== "").reverse();
  let left = pieces.reduce((sum, piece) => sum + piece.text.length, 0);
  const more = button("", () => grow(STEP), { class: "more" });
  function grow(by) {
    for (let space = Math.min(by, left); space > 0;) {
      const { text, tag } = remaining.pop();
      const end = characterEnd(text, Math.min(text.length, space));
      const part = el(tag, { class: "chunk" });
      part.textContent = escaped(text.slice(0, end));
      more.before(part);
      if (end < text.length) remaining.push({ text: text.slice(end), tag });
      space -= end;
      left -= end;
    }
    if (left === 0) more.remove();
    else more.textContent = `Show ${count(Math.min(left, STEP))} more characters of ${count(left)} not shown`;
  }
  holder.append(more);
  grow(left <= FIRST * 1.5 ? left : FIRST);
  return holder;
}

/** A short text inline, or the start of a long one, which expands. */
export function atLength(text, longest) {
  return text.length <= longest ? isolated(text, longest) : folded([isolated(text, longest)], () => longText(text));
}
