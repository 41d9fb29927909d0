// Create elements. Text is always inserted as text; nothing in this page parses markup.

const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu;
const ALLOWED = new Set(["\n", "\t", "\u200c", "\u200d"]); // joiners occur within Persian words and emoji

/** Escape control characters, direction marks, and unpaired surrogates, which makes them visible and harmless. */
export function escaped(text) {
  return text.replace(UNSAFE, (character) => {
    const code = character.codePointAt(0);
    if (ALLOWED.has(character)) return character;
    if (code < 0x20) return String.fromCodePoint(0x2400 + code);
    if (code === 0x7f) return "\u2421";
    return `\u27e8U+${code.toString(16).toUpperCase().padStart(4, "0")}\u27e9`;
  });
}

/** Create an element. Null and false omit an attribute. Children are elements, texts, or lists of them. */
export function el(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

/** The index at or after `at` that does not split a surrogate pair. */
export function characterEnd(text, at) {
  const code = text.charCodeAt(at - 1);
  return at < text.length && code >= 0xd800 && code < 0xdc00 ? at + 1 : at;
}

/** A text isolated from the direction of the text around it, truncated to `longest` characters. */
export function isolated(text, longest = 200) {
  return el("bdi", {}, text.length > longest ? `${text.slice(0, characterEnd(text, longest))} …` : text);
}

export function button(label, onClick, attributes = {}) {
  const made = el("button", { type: "button", ...attributes }, label);
  made.addEventListener("click", onClick);
  return made;
}

/** Set styles as properties, because the page's policy forbids style attributes. */
export function styled(element, properties) {
  for (const [name, value] of Object.entries(properties)) element.style.setProperty(name, value);
  return element;
}

/** Create a table. `rows` are lists of cells, and the first cell is the header of its row. */
export function table(caption, headings, rows, attributes = {}) {
  const head = headings.map((heading) => el("th", { scope: "col" }, heading));
  const body = rows.map(([first, ...cells]) =>
    el(
      "tr",
      {},
      el("th", { scope: "row" }, first),
      cells.map((cell) => el("td", {}, cell)),
    ),
  );
  return scrollingTable(caption, head, el("tbody", {}, body), attributes);
}

/** Create a table from headings and a body, in a container that scrolls if it is too wide. */
export function scrollingTable(caption, heads, body, attributes = {}) {
  const named = el("caption", { class: "unseen" }, caption);
  const made = el("table", attributes, named, el("thead", {}, el("tr", {}, heads)), body);
  return scrolling(el("div", { class: "wide", role: "group", "aria-label": caption }, made));
}

const scrollers = new ResizeObserver((changed) => {
  for (const { target } of changed) {
    const scrolls = target.scrollWidth > target.clientWidth || target.scrollHeight > target.clientHeight;
    if (scrolls) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
  }
});

/** Make the element focusable by keyboard while it can scroll. */
export function scrolling(element) {
  scrollers.observe(element);
  return element;
}

/** Create a section with a heading. If its content fails, it shows the error, and other sections are not affected. */
export function section(title, make, attributes = {}) {
  let content;
  try {
    content = make();
  } catch (error) {
    content = el("p", { class: "bad" }, `This part of the record cannot be shown: ${error.message}`);
  }
  if (content === null) return null;
  return el("section", attributes, el("h2", {}, title), content);
}

/** Create a collapsed element whose content is created when it opens. */
export function folded(summary, make) {
  const details = el("details", {}, el("summary", {}, summary));
  details.addEventListener("toggle", () => {
    if (details.open && details.childElementCount === 1) details.append(make());
  });
  return details;
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) element.setAttribute(name, escaped(String(value)));
  }
  const present = children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
  element.append(...present.map((child) => (child instanceof Node ? child : escaped(String(child)))));
  return element;
}
