// A set of runs: what became of them, how their figures are spread, and a table that leads to each.

import { button, el, said, section, table } from "./dom.js";
import { distribution } from "./distributions.js";
import { badge } from "./run.js";
import { addressOf, count, duration, figure, known, moment, percent, plural, quantile } from "./words.js";

const STEP = 100; // rows that are shown at a time

const COLUMNS = [
  { key: "started_at", label: "began", show: (row) => moment(row.started_at) },
  { key: "question", label: "question", show: (row) => linkTo(row), heads: true },
  { key: "answer", label: "answer", show: (row) => (row.answer === null ? el("span", { class: "muted" }, "none") : said(row.answer, 60)) },
  { key: "ending", label: "status", show: (row) => badge(row.ending) },
  { key: "route", label: "route", show: (row) => row.route ?? "none" },
  { key: "correct", label: "right", show: (row) => (row.correct === null ? "" : row.correct ? "✓ right" : "✕ wrong") },
  { key: "value", label: "measure", show: (row) => (row.value === null ? "" : figure(row.value)), number: true },
  { key: "ms", label: "took", show: (row) => duration(row.ms), number: true },
  { key: "completion_tokens", label: "tokens", show: (row) => (count(row.completion_tokens)), number: true },
];

const CHOICES = { ending: "status", route: "route", correct: "right", task: "task", model: "model" };

export function overview(index) {
  const parts = el("div");
  const filters = filtering(index.runs, (kept) => show(kept));
  const runs = runTable();
  function show(kept) {
    parts.replaceChildren(...[summary(kept), section("Distributions", () => distributions(kept))].filter(Boolean));
    runs.fill(kept);
  }
  show(index.runs);
  const capped = index.of > index.runs.length ? el("p", { class: "muted" }, `These are ${count(index.runs.length)} of ${count(index.of)} runs.`) : null;
  return [
    el("div", { class: "headline" }, el("h1", { tabindex: -1 }, index.title || plural(index.runs.length, "run")), capped),
    filters,
    parts,
    section("Runs", () => runs.element),
  ];
}

function summary(rows) {
  const decided = rows.filter((row) => row.route !== null);
  const judged = rows.filter((row) => row.correct !== null);
  const share = (some, all) => (all.length ? `${percent(some.length / all.length)} (${count(some.length)} of ${count(all.length)})` : "none");
  const facts = [
    ["runs", count(rows.length)],
    ["reasoned about", share(decided.filter((row) => row.route === "reasoned"), decided)],
    ["right, of those with a reference", share(judged.filter((row) => row.correct), judged)],
    ["not ok", share(rows.filter((row) => row.ending !== "ok"), rows)],
  ];
  return el("div", {}, el("dl", { class: "figures" }, facts.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value)))), section("By route", () => byRoute(decided)));
}

function byRoute(rows) {
  if (rows.length === 0) return null;
  const median = (some, key) => quantile(some.map((row) => row[key]).filter(known).toSorted((a, b) => a - b), 0.5);
  const lines = ["direct", "reasoned"].map((route) => {
    const some = rows.filter((row) => row.route === route);
    const judged = some.filter((row) => row.correct !== null);
    const right = judged.length ? percent(judged.filter((row) => row.correct).length / judged.length) : "unknown";
    return [route, count(some.length), right, some.length ? duration(median(some, "ms")) : "", some.length ? count(median(some, "completion_tokens")) : ""];
  });
  return table("Runs by route", ["route", "runs", "right", "median time", "median tokens"], lines, { class: "numbers" });
}

function distributions(rows) {
  const names = rows.map((row) => row.measure).filter(Boolean);
  const measure = [...new Set(names)].sort((a, b) => names.filter((n) => n === b).length - names.filter((n) => n === a).length)[0];
  const made = [
    measure ? distribution(measure, rows.filter((row) => row.measure === measure), (row) => row.value, figure) : null,
    distribution("time", rows, (row) => row.ms, duration),
    distribution("completion tokens", rows, (row) => row.completion_tokens, count),
  ].filter(Boolean);
  return made.length ? el("div", { class: "distributions" }, made) : null;
}

/** Fields that narrow the runs down; `onChange` is given those that are left. */
function filtering(rows, onChange) {
  const search = el("input", { type: "search", id: "search", autocomplete: "off" });
  const selects = Object.entries(CHOICES).flatMap(([key, label]) => {
    const values = [...new Set(rows.map((row) => row[key]))];
    if (values.length < 2) return [];
    const spoken = (value) => (value === null ? "none" : key === "correct" ? (value ? "right" : "wrong") : value);
    const options = values.map((value, i) => el("option", { value: i }, spoken(value)));
    return [{ key, label, values, select: el("select", { id: `by-${key}` }, el("option", { value: "" }, "all"), options) }];
  });
  const told = el("p", { class: "muted", role: "status" });
  function change() {
    const words = search.value.toLowerCase();
    const kept = rows.filter((row) =>
      selects.every(({ key, values, select }) => select.value === "" || row[key] === values[Number(select.value)]) &&
      (words === "" || [row.run_id, row.question, row.answer].some((text) => text?.toLowerCase().includes(words))),
    );
    told.textContent = kept.length === rows.length ? "" : `${count(kept.length)} of ${count(rows.length)} runs`;
    onChange(kept);
  }
  search.addEventListener("input", change);
  for (const { select } of selects) select.addEventListener("change", change);
  const field = (id, label, control) => el("div", {}, el("label", { for: id }, label), control);
  return el("div", { role: "search", "aria-label": "Filter the runs" }, el("div", { class: "filters" }, field("search", "question, answer or run", search), selects.map(({ key, label, select }) => field(`by-${key}`, label, select))), told);
}

function runTable() {
  let rows = [];
  let by = { key: "started_at", descending: true };
  let limit = STEP;
  const body = el("tbody");
  const heads = COLUMNS.map((column) => {
    const sort = button(column.label, () => {
      by = { key: column.key, descending: by.key === column.key ? !by.descending : Boolean(column.number) };
      show();
    }, { class: "sort" });
    return el("th", { scope: "col", class: column.number ? "number" : null }, sort);
  });
  const more = button("", () => { limit += STEP; show(); }, { class: "more" });
  function show() {
    COLUMNS.forEach((column, i) => {
      const now = by.key === column.key ? (by.descending ? "descending" : "ascending") : null;
      if (now) heads[i].setAttribute("aria-sort", now);
      else heads[i].removeAttribute("aria-sort");
    });
    const sorted = rows.toSorted((a, b) => (by.descending ? -1 : 1) * compared(a[by.key], b[by.key], by.descending));
    body.replaceChildren(...sorted.slice(0, limit).map(runRow));
    more.textContent = `Show ${count(Math.min(STEP, rows.length - limit))} more runs`;
    more.hidden = rows.length <= limit;
  }
  const made = el("table", { class: "runs" }, el("caption", { class: "unseen" }, "Runs; the headings sort"), el("thead", {}, el("tr", {}, heads)), body);
  const element = el("div", {}, el("div", { class: "wide", tabindex: 0, role: "group", "aria-label": "Runs" }, made), more);
  return { element, fill: (kept) => { rows = kept; limit = STEP; show(); } };
}

function runRow(row) {
  return el("tr", {}, COLUMNS.map((column) => el(column.heads ? "th" : "td", { scope: column.heads ? "row" : null, class: column.number ? "number" : null }, column.show(row))));
}

function linkTo(row) {
  return el("a", { href: addressOf(row.run_id) }, row.question === null ? `run ${row.run_id.slice(0, 8)}` : said(row.question, 80));
}

/** What is missing comes last, whichever way the rest is sorted. */
function compared(a, b, descending) {
  if (a === null || b === null) return (a === null) - (b === null) ? ((a === null) - (b === null)) * (descending ? -1 : 1) : 0;
  return a < b ? -1 : a > b ? 1 : 0;
}
