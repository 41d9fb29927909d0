// What a run was made with, and what it spent.

import { el, folded, said, table } from "./dom.js";
import { atLength, longText } from "./longtext.js";
import { count, duration, moment, plural } from "./words.js";

export function prompts(record) {
  if (record.prompts.length === 0)
    return el(
      "p",
      { class: "muted" },
      record.texts
        ? "No prompts were recorded: they are at trace level full."
        : "Texts were not captured (trace_texts is off).",
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
          messages.map((message) => el("div", {}, el("h3", {}, said(message.role, 40)), longText(message.content))),
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
  const rows = found.map(({ name, spent, ms }) => [said(name, 60), ...cells(spent, ms)]);
  const whole = record.verification?.usage;
  if (whole) rows.push([el("strong", {}, "the whole run"), ...cells(whole, record.ms)]);
  const lost = found.reduce((sum, each) => sum + each.lost, 0);
  const headings = ["node", ...SPENT.map((field) => field.replace("_", " ")), "time"];
  return el(
    "div",
    {},
    table("Usage by node", headings, rows, { class: "numbers" }),
    lost
      ? el("p", { class: "muted" }, `What ${plural(lost, "call")} cost that did not come to an end is not known.`)
      : null,
  );
}

/** What a node's stays cost by its own account; where it has none, its calls as far as they came to their end. */
function spentIn(name, record) {
  const stays = record.nodes.filter((node) => node.name === name);
  const calls = record.calls.filter((call) => call.node === name);
  const told = stays.map((node) => node.usage).filter(Boolean);
  const from = told.length ? told : calls.map((call) => call.usage).filter(Boolean);
  return {
    spent: Object.fromEntries(SPENT.map((field) => [field, from.reduce((sum, each) => sum + each[field], 0)])),
    ms: stays.reduce((sum, node) => sum + node.ended_ms - node.started_ms, 0),
    lost: told.length ? 0 : calls.filter((call) => call.usage === null).length,
  };
}

export function settings(record) {
  const all = Object.entries(record.settings);
  if (all.length === 0) return el("p", { class: "muted" }, "No settings were recorded.");
  const from = (name) => (Object.hasOwn(record.sources, name) ? record.sources[name] : "default");
  const shown = (some) =>
    table(
      "Settings",
      ["setting", "value", "from"],
      some.map(([name, value]) => [
        el("code", {}, said(name, 80)),
        el("code", {}, atLength(spokenValue(value), 200)),
        from(name),
      ]),
    );
  const set = all.filter(([name]) => from(name) !== "default");
  const defaults = all.filter(([name]) => from(name) === "default");
  return el(
    "div",
    {},
    set.length ? shown(set) : el("p", { class: "muted" }, "All settings have their defaults."),
    defaults.length ? folded(`${plural(defaults.length, "setting")} left at the default`, () => shown(defaults)) : null,
  );
}

export function about(record) {
  const facts = [
    ["run", record.run_id],
    ["began", moment(record.started_at)],
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
    facts.map(([name, value]) => [el("dt", {}, said(name, 80)), el("dd", {}, atLength(value, 200))]),
  );
}

function spokenValue(value) {
  if (value === null) return "none";
  return typeof value === "string" ? value : JSON.stringify(value);
}
