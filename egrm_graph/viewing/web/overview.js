// The overview of many runs: a summary, distributions, and a table with links.

import { distribution } from "./distributions.js";
import { el, section, table } from "./dom.js";
import { filtering } from "./filters.js";
import { runTable } from "./runtable.js";
import { count, duration, figure, known, percent, plural, quantile } from "./words.js";

export function overview(index) {
  const parts = el("div");
  const filters = filtering(index.runs, (matching) => show(matching));
  const runs = runTable();
  function show(matching) {
    const spread = section("Distributions", () => distributions(matching));
    parts.replaceChildren(...[summary(matching), spread].filter(Boolean));
    runs.fill(matching);
  }
  show(index.runs);
  const capped =
    index.of > index.runs.length
      ? el("p", { class: "muted" }, `This page has ${count(index.runs.length)} of ${count(index.of)} runs.`)
      : null;
  return [
    el(
      "div",
      { class: "headline" },
      el("h1", { tabindex: -1 }, index.title || plural(index.runs.length, "run")),
      capped,
    ),
    filters,
    parts,
    section("Runs", () => runs.element),
  ];
}

function summary(rows) {
  const decided = rows.filter((row) => row.route !== null);
  const judged = rows.filter((row) => row.correct !== null);
  const share = (some, all) =>
    all.length ? `${percent(some.length / all.length)} (${count(some.length)} of ${count(all.length)})` : "none";
  const facts = [
    ["runs", count(rows.length)],
    [
      "reasoned",
      share(
        decided.filter((row) => row.route === "reasoned"),
        decided,
      ),
    ],
    [
      "right, of those with a reference",
      share(
        judged.filter((row) => row.correct),
        judged,
      ),
    ],
    [
      "not ok",
      share(
        rows.filter((row) => row.ending !== "ok"),
        rows,
      ),
    ],
  ];
  return el(
    "div",
    {},
    el(
      "dl",
      { class: "figures" },
      facts.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))),
    ),
    section("By route", () => byRoute(decided)),
  );
}

function byRoute(rows) {
  if (rows.length === 0) return null;
  const median = (some, key) =>
    quantile(
      some
        .map((row) => row[key])
        .filter(known)
        .toSorted((a, b) => a - b),
      0.5,
    );
  const lines = ["direct", "reasoned"].map((route) => {
    const some = rows.filter((row) => row.route === route);
    const judged = some.filter((row) => row.correct !== null);
    const right = judged.length ? percent(judged.filter((row) => row.correct).length / judged.length) : "unknown";
    return [
      route,
      count(some.length),
      right,
      some.length ? duration(median(some, "ms")) : "",
      some.length ? count(median(some, "completion_tokens")) : "",
    ];
  });
  return table("Runs by route", ["route", "runs", "right", "median time", "median tokens"], lines, {
    class: "numbers",
  });
}

function distributions(rows) {
  const names = rows.map((row) => row.measure).filter(Boolean);
  const measure = [...new Set(names)].sort(
    (a, b) => names.filter((n) => n === b).length - names.filter((n) => n === a).length,
  )[0];
  const made = [
    measure
      ? distribution(
          measure,
          rows.filter((row) => row.measure === measure),
          (row) => row.value,
          figure,
        )
      : null,
    distribution("time", rows, (row) => row.ms, duration),
    distribution("completion tokens", rows, (row) => row.completion_tokens, count),
  ].filter(Boolean);
  return made.length ? el("div", { class: "distributions" }, made) : null;
}
