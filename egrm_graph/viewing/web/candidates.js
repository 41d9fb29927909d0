// Candidates that were judged.

import { el, said, styled, table } from "./dom.js";
import { atLength } from "./longtext.js";
import { candidateName, fixed } from "./words.js";

/** The candidates with their rewards, where some were judged. */
export function candidates(record) {
  const told = record.verification;
  const judged = record.asked?.judged ?? null;
  const n = told?.rewards?.length ?? judged?.texts.length ?? 0;
  if (n === 0) return null;
  const contested = new Set(told?.uncertainty.contested ?? []);
  const rows = Array.from({ length: n }, (_, i) => {
    const name = candidateName(i, n);
    const reward = told?.rewards?.[i] ?? null;
    const bar =
      reward === null ? null : styled(el("span", { class: "bar", "aria-hidden": "true" }), { "--share": reward });
    const standsFor = judged && judged.same_as[i] !== i ? `equal to ${candidateName(judged.same_as[i], n)}` : null;
    const notes = [told?.unrewarded?.[i], judged?.unfit[i], standsFor, contested.has(name) ? "contested" : null];
    return [
      [name, told?.winner === i ? el("strong", { class: "won" }, " ★ won") : null],
      reward === null
        ? el("span", { class: "muted" }, "none")
        : el("span", { class: "scored" }, bar, el("span", { class: "number" }, fixed(reward))),
      judged?.texts[i] ? atLength(judged.texts[i], 200) : el("span", { class: "muted" }, "text not recorded"),
      said([...new Set(notes.filter(Boolean))].join("; "), 300),
    ];
  });
  const tie = typeof told?.tie === "number" ? el("p", {}, `A tie: ${fixed(told.tie)}.`) : null;
  return el(
    "div",
    {},
    table("Candidates and their rewards", ["candidate", "reward", "text", "note"], rows, { class: "candidates" }),
    tie,
  );
}
