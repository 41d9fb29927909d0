// Filters for the runs.

import { el } from "./dom.js";
import { count } from "./words.js";

const CHOICES = { ending: "status", route: "route", correct: "right", task: "task", model: "model" };

/** Create the filter fields. `onChange` receives the matching runs. */
export function filtering(rows, onChange) {
  const search = el("input", { type: "search", id: "search", autocomplete: "off" });
  const selects = Object.entries(CHOICES).flatMap(([key, label]) => {
    const values = [...new Set(rows.map((row) => row[key]))];
    if (values.length < 2) return [];
    const textOf = (value) => (value === null ? "none" : key === "correct" ? (value ? "right" : "wrong") : value);
    const options = values.map((value, i) => el("option", { value: i }, textOf(value)));
    return [
      { key, label, values, select: el("select", { id: `by-${key}` }, el("option", { value: "" }, "all"), options) },
    ];
  });
  const status = el("p", { class: "muted", role: "status" });
  function change() {
    const words = search.value.toLowerCase();
    const matching = rows.filter(
      (row) =>
        selects.every(({ key, values, select }) => select.value === "" || row[key] === values[Number(select.value)]) &&
        (words === "" || [row.run_id, row.question, row.answer].some((text) => text?.toLowerCase().includes(words))),
    );
    status.textContent =
      matching.length === rows.length ? "" : `${count(matching.length)} of ${count(rows.length)} runs`;
    onChange(matching);
  }
  search.addEventListener("input", change);
  for (const { select } of selects) select.addEventListener("change", change);
  const field = (id, label, control) => el("div", {}, el("label", { for: id }, label), control);
  return el(
    "div",
    { role: "search", "aria-label": "Filter the runs" },
    el(
      "div",
      { class: "filters" },
      field("search", "question, answer, or run", search),
      selects.map(({ key, label, select }) => field(`by-${key}`, label, select)),
    ),
    status,
  );
}
