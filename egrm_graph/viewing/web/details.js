// The prompts, settings, and usage of a run.

import { el, folded, isolated, table } from "./dom.js";
import { atLength, longText } from "./longtext.js";
import { count, duration, moment, plural } from "./words.js";

export function prompts(record) {
  if (record.prompts.length === 0)
    return el(
      "p",
      { class: "muted" },
      record.texts
        ? "No prompts were recorded. Set the trace level to full."
        : "Texts were not recorded (trace_texts is off).",
    );
  return el(
    "div",
    {},
    record.prompts.map((messages, i) => {
      const calls = record.calls.filter((call) => call.prompt === i);
      const nodes = [...new Set(calls.map((call) => call.node))].join(", ");
      return folded(`Prompt ${i + 1}: ${nodes || "not sent"}, ${plural(calls.length, "call")}`, () =>
        el(
          "div",
          {},
          messages.map((message) => el("div", {}, el("h3", {}, isolated(message.role, 40)), longText(message.content))),
        ),
      );
    }),
  );
}

const SPENT = ["requests", "prompt_tokens", "cached_tokens", "completion_tokens", "cancelled_tokens"];

export function usage(record) {
  const names = [...new Set([...record.nodes.map((node) => node.name), ...record.calls.map((call) => call.node)])];
  const cells = (spent, ms) => [...SPENT.map((field) => count(spent[field])), duration(ms)];
  const found = names.map((name) => ({ name, ...spentIn(name, record) }));
  const rows = found.map(({ name, spent, ms }) => [isolated(name, 60), ...cells(spent, ms)]);
  const total = record.verification?.usage;
  if (total) rows.push([el("strong", {}, "total"), ...cells(total, record.ms)]);
  const lost = found.reduce((sum, each) => sum + each.lost, 0);
  const headings = ["node", ...SPENT.map((field) => field.replace("_", " ")), "time"];
  return el(
    "div",
    {},
    table("Usage by node", headings, rows, { class: "numbers" }),
    lost
      ? el("p", { class: "muted" }, `The cost of ${plural(lost, "call")} that did not complete is unknown.`)
      : null,
  );
}

/** The usage that the node reported. Without a report, the usage of its completed calls. */
function spentIn(name, record) {
  const executions = record.nodes.filter((node) => node.name === name);
  const calls = record.calls.filter((call) => call.node === name);
  const reported = executions.map((node) => node.usage).filter(Boolean);
  const from = reported.length ? reported : calls.map((call) => call.usage).filter(Boolean);
  return {
    spent: Object.fromEntries(SPENT.map((field) => [field, from.reduce((sum, each) => sum + each[field], 0)])),
    ms: executions.reduce((sum, node) => sum + node.ended_ms - node.started_ms, 0),
    lost: reported.length ? 0 : calls.filter((call) => call.usage === null).length,
  };
}

export function settings(record) {
  const all = Object.entries(record.settings);
  if (all.length === 0) return el("p", { class: "muted" }, "No settings were recorded.");
  const from = (name) => (Object.hasOwn(record.sources, name) ? record.sources[name] : "default");
  const settingsTable = (some) =>
    table(
      "Settings",
      ["setting", "value", "from"],
      some.map(([name, value]) => [
        el("code", {}, isolated(name, 80)),
        el("code", {}, atLength(displayValue(value), 200)),
        from(name),
      ]),
    );
  const set = all.filter(([name]) => from(name) !== "default");
  const defaults = all.filter(([name]) => from(name) === "default");
  return el(
    "div",
    {},
    set.length ? settingsTable(set) : el("p", { class: "muted" }, "All settings have their default values."),
    defaults.length
      ? folded(`${plural(defaults.length, "setting")} with default values`, () => settingsTable(defaults))
      : null,
  );
}

export function about(record) {
  const facts = [
    ["run", record.run_id],
    ["started", moment(record.started_at)],
    ["task", record.task],
    ["model", `${record.model} (${record.engine})`],
    ["scorer", record.scorer ?? "none"],
    ["server version", record.server_version ?? "unknown"],
    ["egrm-graph", record.package],
    ["trace level", `${record.level}${record.texts ? "" : ", without texts"}`],
    ["reference", record.asked?.reference ?? "none"],
    ...(record.trace_id ? [["OpenTelemetry trace", record.trace_id]] : []),
    ...Object.entries(record.metadata),
  ];
  return el(
    "dl",
    { class: "about" },
    facts.map(([name, value]) => [el("dt", {}, isolated(name, 80)), el("dd", {}, atLength(value, 200))]),
  );
}

function displayValue(value) {
  if (value === null) return "none";
  return typeof value === "string" ? value : JSON.stringify(value);
}
