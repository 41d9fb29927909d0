// Elements. Text only ever becomes text: nothing in this page parses markup.

const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu;
const KEPT = new Set(["\n", "\t", "\u200c", "\u200d"]); // joiners are parts of words in Persian, and of pictures

/** The text with everything spelled out that would act, or not be seen: escapes, direction marks, half characters. */
export function spelled(text) {
  return text.replace(UNSAFE, (character) => {
    const code = character.codePointAt(0);
    if (KEPT.has(character)) return character;
    if (code < 0x20) return String.fromCodePoint(0x2400 + code);
    if (code === 0x7f) return "\u2421";
    return `\u27e8U+${code.toString(16).toUpperCase().padStart(4, "0")}\u27e9`;
  });
}

/** An element with attributes (null and false leave one out) and children: elements, texts, or lists of them. */
export function el(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

/** A place near `at` that is not in the middle of a character. */
export function whole(text, at) {
  const code = text.charCodeAt(at - 1);
  return at < text.length && code >= 0xd800 && code < 0xdc00 ? at + 1 : at;
}

/** What somebody wrote, kept from turning the text around it. */
export function said(text, longest = 200) {
  return el("bdi", {}, text.length > longest ? `${text.slice(0, whole(text, longest))} …` : text);
}

export function button(label, onClick, attributes = {}) {
  const made = el("button", { type: "button", ...attributes }, label);
  made.addEventListener("click", onClick);
  return made;
}

/** Styles go in by property, for the page's policy forbids style attributes. */
export function styled(element, properties) {
  for (const [name, value] of Object.entries(properties)) element.style.setProperty(name, value);
  return element;
}

/** A table; `rows` are lists of cells, the first of each heads its row. */
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
  return framed(caption, head, el("tbody", {}, body), attributes);
}

/** A table of a row of headings and a body, in a frame that scrolls where it is too wide. */
export function framed(caption, heads, body, attributes = {}) {
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

/** The element, which the keyboard reaches where there is something to scroll. */
export function scrolling(element) {
  scrollers.observe(element);
  return element;
}

/** A section with a heading; one that cannot be made says so, and the others are not lost with it. */
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

/** Opens on demand, and is made only then. */
export function folded(summary, make) {
  const details = el("details", {}, el("summary", {}, summary));
  details.addEventListener("toggle", () => {
    if (details.open && details.childElementCount === 1) details.append(make());
  });
  return details;
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) element.setAttribute(name, spelled(String(value)));
  }
  const present = children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
  element.append(...present.map((child) => (child instanceof Node ? child : spelled(String(child)))));
  return element;
}
