// A sortable table of runs with links.

import { button, el, scrollingTable, isolated } from "./dom.js";
import { badge } from "./run.js";
import { addressOf, count, duration, figure, moment } from "./words.js";

const STEP = 100; // rows per step

const COLUMNS = [
  { key: "question", label: "question", show: (row) => runLink(row), heads: true },
  {
    key: "answer",
    label: "answer",
    show: (row) => (row.answer === null ? el("span", { class: "muted" }, "none") : isolated(row.answer, 60)),
  },
  { key: "ending", label: "status", show: (row) => badge(row.ending) },
  { key: "route", label: "route", show: (row) => row.route ?? "none" },
  { key: "correct", label: "right", show: ({ correct }) => ({ true: "✓ right", false: "✕ wrong" })[correct] ?? "" },
  { key: "value", label: "measure", show: (row) => (row.value === null ? "" : figure(row.value)), number: true },
  { key: "ms", label: "took", show: (row) => duration(row.ms), number: true },
  { key: "completion_tokens", label: "tokens", show: (row) => count(row.completion_tokens), number: true },
  { key: "started_at", label: "started", show: (row) => moment(row.started_at) },
];

export function runTable() {
  let rows = [];
  let by = { key: "started_at", descending: true };
  let limit = STEP;
  const body = el("tbody");
  const heads = COLUMNS.map((column) => {
    const sort = button(
      column.label,
      () => {
        by = { key: column.key, descending: by.key === column.key ? !by.descending : Boolean(column.number) };
        show();
      },
      { class: "sort" },
    );
    return el("th", { scope: "col", class: column.number ? "number" : null }, sort);
  });
  const more = button(
    "",
    () => {
      limit += STEP;
      show();
    },
    { class: "more" },
  );
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
  const element = el("div", {}, scrollingTable("Runs; click a heading to sort", heads, body, { class: "runs" }), more);
  return {
    element,
    fill: (matching) => {
      rows = matching;
      limit = STEP;
      show();
    },
  };
}

function runRow(row) {
  return el(
    "tr",
    {},
    COLUMNS.map((column) =>
      el(
        column.heads ? "th" : "td",
        { scope: column.heads ? "row" : null, class: column.number ? "number" : null },
        column.show(row),
      ),
    ),
  );
}

function runLink(row) {
  return el(
    "a",
    { href: addressOf(row.run_id) },
    row.question === null ? `run ${row.run_id.slice(0, 8)}` : isolated(row.question, 80),
  );
}

/** Missing values come last in both directions. */
function compared(a, b, descending) {
  if (a === null || b === null)
    return (a === null) - (b === null) ? ((a === null) - (b === null)) * (descending ? -1 : 1) : 0;
  return a < b ? -1 : a > b ? 1 : 0;
}
