// The judgment of a path on candidates: its structure, its solution, and a row for each principle.

import { el, folded, isolated, table } from "./dom.js";
import { atLength, longText } from "./longtext.js";
import { plural } from "./words.js";

const LONGEST = 300; // characters of a judgment that are shown at once

/** A path's judgment if it has more than a verdict; null otherwise, and in records of earlier versions. */
export function judgmentOf({ judgment }) {
  if (!judgment) return null;
  return judgment.units.length || judgment.lost.length || judgment.structure !== "plain" ? judgment : null;
}

/** The structure, and whether the majority of the principles agrees with the verdict. */
export function judgmentNote(judgment) {
  const agreement = { true: "agrees with the verdict", false: "contradicts the verdict" }[judgment.consistent];
  const majority = agreement ? `the majority ${agreement}` : "no majority to compare with the verdict";
  const lost = judgment.lost.length ? `, ${plural(judgment.lost.length, "part")} lost` : "";
  return `${judgment.structure}, ${plural(judgment.units.length, "principle")}${lost}; ${majority}`;
}

export function unitTable(item, missingReason) {
  const { judgment } = item;
  const noTexts = judgment.units.every((unit) => unit.principle === "" && unit.judgment === "");
  const rows = judgment.units.map((unit, i) => [
    unit.principle === "" ? `principle ${i + 1}` : isolated(unit.principle),
    unit.rule === "" ? "" : isolated(unit.rule, LONGEST),
    unit.judgment === "" ? "" : atLength(unit.judgment, LONGEST),
    el("strong", {}, isolated(unit.sub_verdict, 60)),
  ]);
  return el(
    "div",
    { class: "units" },
    el("p", { class: judgment.consistent === false ? "bad" : "muted" }, judgmentNote(judgment)),
    judgment.solution === null ? null : folded("Solution", () => longText(judgment.solution)),
    rows.length && noTexts ? el("p", { class: "muted" }, missingReason) : null,
    rows.length ? table(`Principles of ${item.name}`, ["principle", "rule", "judgment", "favors"], rows) : null,
    judgment.lost.length
      ? el(
          "ul",
          { class: "muted" },
          judgment.lost.map((reason) => el("li", {}, isolated(reason, LONGEST))),
        )
      : null,
  );
}
