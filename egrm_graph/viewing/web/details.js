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

export function usage(record) {
  const fields = ["requests", "prompt_tokens", "cached_tokens", "completion_tokens", "cancelled_tokens"];
  const names = [...new Set([...record.nodes.map((node) => node.name), ...record.calls.map((call) => call.node)])];
  const cells = (spent, ms) => [...fields.map((field) => count(spent[field])), ms];
  const rows = names.map((name) => {
    const spent = Object.fromEntries(
      fields.map((field) => [
        field,
        record.calls.filter((call) => call.node === name).reduce((sum, call) => sum + (call.usage?.[field] ?? 0), 0),
      ]),
    );
    const ms =
      record.verification?.timing_ms[name] ??
      record.nodes.filter((node) => node.name === name).reduce((sum, node) => sum + node.ended_ms - node.started_ms, 0);
    return [name, ...cells(spent, duration(ms))];
  });
  const whole = record.verification?.usage;
  if (whole) rows.push([el("strong", {}, "the whole run"), ...cells(whole, duration(record.ms))]);
  const lost = record.calls.filter((call) => call.usage === null).length;
  const note = lost
    ? el(
        "p",
        { class: "muted" },
        `${plural(lost, "call")} did not come to an end: what that cost is only in the whole run.`,
      )
    : null;
  return el(
    "div",
    {},
    table("Usage by node", ["node", ...fields.map((field) => field.replace("_", " ")), "time"], rows, {
      class: "numbers",
    }),
    note,
  );
}

export function settings(record) {
  const all = Object.entries(record.settings);
  if (all.length === 0) return el("p", { class: "muted" }, "No settings were recorded.");
  const shown = (some) =>
    table(
      "Settings",
      ["setting", "value", "from"],
      some.map(([name, { value, source }]) => [
        el("code", {}, said(name, 80)),
        el("code", {}, atLength(spokenValue(value), 200)),
        source,
      ]),
    );
  const set = all.filter(([, setting]) => setting.source !== "default");
  const defaults = all.filter(([, setting]) => setting.source === "default");
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
