// The candidates that were judged.

import { el, isolated, styled, table } from "./dom.js";
import { atLength } from "./longtext.js";
import { candidateName, fixed } from "./words.js";

/** The candidates and their rewards. Null if no candidates were judged. */
export function candidates(record) {
  const verdict = record.verification;
  const judged = record.asked?.judged ?? null;
  const n = verdict?.rewards?.length ?? judged?.texts.length ?? 0;
  if (n === 0) return null;
  const contested = new Set(verdict?.uncertainty.contested ?? []);
  const rows = Array.from({ length: n }, (_, i) => {
    const name = candidateName(i, n);
    const reward = verdict?.rewards?.[i] ?? null;
    const bar =
      reward === null ? null : styled(el("span", { class: "bar", "aria-hidden": "true" }), { "--share": reward });
    const equalTo = judged && judged.same_as[i] !== i ? `equal to ${candidateName(judged.same_as[i], n)}` : null;
    const notes = [verdict?.unrewarded?.[i], judged?.unfit[i], equalTo, contested.has(name) ? "contested" : null];
    return [
      [name, verdict?.winner === i ? el("strong", { class: "won" }, " ★ won") : null],
      reward === null
        ? el("span", { class: "muted" }, "none")
        : el("span", { class: "scored" }, bar, el("span", { class: "number" }, fixed(reward))),
      judged?.texts[i] ? atLength(judged.texts[i], 200) : el("span", { class: "muted" }, "text not recorded"),
      isolated([...new Set(notes.filter(Boolean))].join("; "), 300),
    ];
  });
  const tie = typeof verdict?.tie === "number" ? el("p", {}, `Tie: ${fixed(verdict.tie)}.`) : null;
  return el(
    "div",
    {},
    table("Candidates and their rewards", ["candidate", "reward", "text", "note"], rows, { class: "candidates" }),
    tie,
  );
}
