// Texts of any length: a part is shown, and more of it on demand.

import { button, el, folded, said, spelled } from "./dom.js";
import { count } from "./words.js";

const FIRST = 12_000;
const STEP = 100_000;

/** The text, as far as it is short; buttons show the rest in steps. */
export function longText(text, attributes = {}) {
  const holder = el("div", { class: "text", ...attributes });
  let shown = 0;
  const more = button("", () => grow(STEP), { class: "more" });
  function grow(by) {
    const end = whole(text, Math.min(text.length, shown + by));
    const part = el("span", { class: "chunk" });
    part.textContent = spelled(text.slice(shown, end));
    shown = end;
    more.before(part);
    const left = text.length - shown;
    if (left === 0) more.remove();
    else more.textContent = `Show ${count(Math.min(left, STEP))} more characters of ${count(left)} not shown`;
  }
  holder.append(more);
  grow(text.length <= FIRST * 1.5 ? text.length : FIRST);
  return holder;
}

/** The text in its line where it is short; else its beginning, which opens. */
export function atLength(text, longest) {
  return text.length <= longest ? said(text, longest) : folded([said(text, longest)], () => longText(text));
}

/** A place near `at` that is not in the middle of a character. */
export function whole(text, at) {
  const code = text.charCodeAt(at - 1);
  return at < text.length && code >= 0xd800 && code < 0xdc00 ? at + 1 : at;
}
