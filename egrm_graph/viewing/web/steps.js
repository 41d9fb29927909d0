// A path by its steps, each with its score.

import { button, el, styled } from "./dom.js";
import { atLength } from "./longtext.js";
import { count, fixed } from "./words.js";

const STEP = 200; // steps at once
const LONGEST = 600; // characters of a step that are shown at once

/** The texts of a path's steps; null if the record does not have the text that they were counted in. */
export function stepTexts({ steps, thinking, text }) {
  // Ends count code points, as Python does.
  const written = Array.from([thinking, text].filter(Boolean).join("\n\n"));
  if (written.length === 0 || steps.at(-1)?.end !== written.length) return null;
  return steps.map(({ end }, i) => written.slice(i === 0 ? 0 : steps[i - 1].end, end).join(""));
}

/** The steps in order, with the lowest score marked. */
export function stepList(item, missingReason) {
  const texts = stepTexts(item);
  const lowest = item.steps.reduce((best, step, i) => (step.score < item.steps[best].score ? i : best), 0);
  const list = el("ol", { class: "steps", "aria-label": `Steps of ${item.name}` });
  const more = button("", () => grow(), { class: "more" });
  function grow() {
    const shown = list.childElementCount;
    const some = item.steps.slice(shown, shown + STEP);
    list.append(...some.map((step, i) => stepOf(step, texts?.[shown + i] ?? null, shown + i === lowest)));
    const left = item.steps.length - list.childElementCount;
    more.textContent = `Show ${count(Math.min(STEP, left))} more steps of ${count(left)} not shown`;
    more.hidden = left === 0;
  }
  grow();
  return el("div", {}, texts === null ? el("p", { class: "muted" }, missingReason) : null, list, more);
}

function stepOf(step, text, lowest) {
  const share = Math.max(0, Math.min(1, step.score));
  return el(
    "li",
    { class: lowest ? "lowest" : null },
    el("div", { class: "step-text" }, text === null ? null : atLength(text.trimEnd(), LONGEST)),
    styled(el("span", { class: "bar", "aria-hidden": "true" }), { "--share": share }),
    el("span", { class: "number" }, fixed(step.score)),
    lowest ? el("strong", {}, "lowest") : null,
  );
}
