// A table of paths or fast answers, and any two of them side by side.

import { button, el, isolated, styled, table } from "./dom.js";
import { differences } from "./differences.js";
import { inSteps, longText } from "./longtext.js";
import { stepList } from "./steps.js";
import { tokenText } from "./tokens.js";
import { unitTable } from "./units.js";
import { count, fixed, plural } from "./words.js";

const COMPARED = 200_000; // the most characters of a text to compare

const MODES = { steps: "Steps", units: "Principles", text: "Texts", differences: "Differences", tokens: "Tokens" };

/**
 * `items`: {name, answer, score, steps, judgment, note, nTokens, text, thinking, tokens, missing, won}. `scored` says
 * whether they have scores. `left` and `right` are the items to show first. If any has principles, these are shown first,
 * or else steps with scores.
 */
export function reader(items, { what, noun, scored, left, right, missingReason }) {
  const chosen = { left, right };
  const has = {
    steps: items.some((item) => item.steps !== null),
    units: items.some((item) => item.judgment !== null),
  };
  let mode = has.units ? "units" : has.steps ? "steps" : "text";
  const sides = el("div", { class: "sides" });
  const choosers = [];
  const modes = Object.entries(MODES).filter(([name]) => has[name] ?? true);
  const switches = modes.map(([name, label]) => {
    const made = button(
      label,
      () => {
        mode = name;
        show();
      },
      { class: "small" },
    );
    made.dataset.mode = name;
    return made;
  });
  function chooser(side, i) {
    const made = button(
      side,
      () => {
        chosen[side] = i;
        show();
      },
      { class: "small", "aria-label": `Show ${items[i].name} on the ${side}` },
    );
    choosers.push({ made, side, i });
    return made;
  }
  function show() {
    for (const { made, side, i } of choosers) made.setAttribute("aria-pressed", String(chosen[side] === i));
    for (const made of switches) made.setAttribute("aria-pressed", String(made.dataset.mode === mode));
    sides.replaceChildren(...sidesOf(mode, items[chosen.left], items[chosen.right], missingReason));
  }
  const rows = items.map((item, i) => [
    [item.name, item.won ? el("strong", { class: "won" }, " ★ won") : null],
    item.answer === null ? el("span", { class: "muted" }, "no answer") : isolated(item.answer, 60),
    ...(scored ? [scoreOf(item)] : []),
    count(item.nTokens),
    el("div", { class: "choice" }, chooser("left", i), chooser("right", i)),
    item.note ? isolated(item.note, 160) : "",
  ]);
  const headings = [noun, "answer", ...(scored ? ["score"] : []), "tokens", "show", "note"];
  const made = el(
    "div",
    { class: "reader" },
    table(what, headings, rows, { class: "items" }),
    el("div", { class: "modes", role: "group", "aria-label": `View of ${what.toLowerCase()}` }, switches),
    sides,
  );
  items.forEach((item, i) => item.won && made.querySelectorAll("tbody tr")[i].classList.add("winner"));
  show();
  return made;
}

function scoreOf(item) {
  if (item.score === null) return el("span", { class: "muted" }, "none");
  const bar = styled(el("span", { class: "bar", "aria-hidden": "true" }), {
    "--share": Math.max(0, Math.min(1, item.score)),
  });
  return el("span", { class: "scored" }, bar, el("span", { class: "number" }, fixed(item.score)));
}

function sidesOf(mode, left, right, missingReason) {
  if (mode === "differences") return compared(left, right, missingReason);
  const items = left === right ? [left] : [left, right];
  return items.map((item) => side(item, contentOf(mode, item, missingReason)));
}

function side(item, content) {
  const answer = item.answer === null ? "no answer" : [isolated(item.answer, 60)];
  const score = item.score === null || item.score === undefined ? null : `, score ${fixed(item.score)}`;
  return el(
    "article",
    { "aria-label": item.name, class: item.won ? "winner" : null },
    el(
      "h3",
      {},
      item.name,
      item.won ? el("span", { class: "won" }, " ★ won") : null,
      el("span", { class: "muted" }, ": ", answer, score),
    ),
    content,
  );
}

function contentOf(mode, item, missingReason) {
  if (mode === "tokens") return byToken(item);
  if (mode === "units" && item.judgment !== null) return unitTable(item, missingReason);
  return mode === "steps" && item.steps !== null ? stepList(item, missingReason) : asText(item, missingReason);
}

function asText(item, missingReason) {
  const thinking = item.thinking
    ? [el("p", { class: "muted" }, "Thinking:"), longText(item.thinking, { class: "text thinking" })]
    : null;
  if (item.text === null) return el("div", {}, thinking, el("p", { class: "muted" }, item.missing ?? missingReason));
  return el("div", {}, thinking, thinking ? el("p", { class: "muted" }, "Text:") : null, longText(item.text));
}

function byToken(item) {
  if (item.tokens?.texts.length) return tokenText(item.tokens, item.name);
  return el(
    "p",
    { class: "muted" },
    "No tokens were recorded for this text. Set ",
    el("code", {}, "trace_tokens"),
    " to the number of alternatives to record (on the command line, --trace-tokens 5) at trace level full.",
  );
}

function compared(left, right, missingReason) {
  if (left === right)
    return [
      el("p", { class: "muted" }, "Choose a different one on the left or the right."),
      side(left, asText(left, missingReason)),
    ];
  if (left.text === null || right.text === null) return sidesOf("text", left, right, missingReason);
  const found = differences(left.text.slice(0, COMPARED), right.text.slice(0, COMPARED));
  if (found === null)
    return [
      el("p", { class: "muted" }, "These texts are too long to compare."),
      ...sidesOf("text", left, right, missingReason),
    ];
  if (left.text === right.text)
    return [
      el("p", { class: "comparison", role: "status" }, "Both texts are equal."),
      ...sidesOf("text", left, right, missingReason),
    ];
  const cut = left.text.length > COMPARED || right.text.length > COMPARED;
  const summaries = [left, right].map((item, i) => alone(item, i === 0 ? found.left : found.right, found.unit));
  return [
    el(
      "p",
      { class: "comparison", role: "status" },
      `Marked text is not in the other one: ${summaries.join("; ")}.`,
      cut ? ` Only the first ${count(COMPARED)} characters are compared.` : null,
    ),
    side(left, inSteps(found.left.map(marked))),
    side(right, inSteps(found.right.map(marked))),
  ];
}

function alone(item, pieces, unit) {
  const characters = pieces.reduce((sum, piece) => (piece.common ? sum : sum + piece.text.length), 0);
  const places = pieces.filter((piece) => !piece.common).length;
  return `${item.name} has ${plural(places, "marked part")} (${plural(characters, "character")}, by ${unit})`;
}

function marked({ text, common }) {
  return { text, tag: common ? "span" : "mark" };
}
