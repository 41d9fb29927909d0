// The run on a time axis: its nodes and their model calls.

import { aboutCall, calledFor } from "./call.js";
import { button, el, scrollingTable, isolated, styled } from "./dom.js";
import { count, duration } from "./words.js";

const MOST_CALLS = 40; // per node, before a button shows more

/** A waterfall chart as a table, which also has the times as text. */
export function timeline(record) {
  const end = Math.max(record.ms, ...[...record.nodes, ...record.calls].map((each) => each.ended_ms), 1);
  const body = el("tbody");
  const names = [...new Set([...record.nodes, ...record.calls].map((each) => each.name ?? each.node))];
  for (const name of names) {
    const visits = record.nodes.filter((node) => node.name === name);
    const calls = record.calls.filter((call) => call.node === name);
    if (visits.length === 0) body.append(el("tr", { class: "node" }, el("th", { scope: "row", colspan: 4 }, name)));
    for (const visit of visits) body.append(nodeRow(visit, end));
    addCalls(body, calls, record, end);
  }
  if (names.length === 0) return el("p", { class: "muted" }, "No node was recorded.");
  const heads = [
    el("th", { scope: "col" }, "what"),
    el("th", { scope: "col" }, axis(end)),
    el("th", { scope: "col", class: "start" }, "start"),
    el("th", { scope: "col" }, "took"),
  ];
  const caption = "Nodes and model calls, in milliseconds since the run started";
  return el("div", {}, legend(record.calls), scrollingTable(caption, heads, body, { class: "timeline" }));
}

function nodeRow(node, end) {
  const failed = node.error === null ? null : el("span", { class: "bad" }, " ✕ ", isolated(node.error));
  const drawn = bar(node, end, [["execution", node.started_ms, node.ended_ms]]);
  return row("node", [isolated(node.name, 60), failed], drawn, node);
}

function addCalls(body, calls, record, end) {
  const rows = calls.map((call) => callRow(call, record, end));
  body.append(...rows.slice(0, MOST_CALLS));
  if (rows.length <= MOST_CALLS) return;
  const place = el("tr");
  const more = button(
    `Show ${count(rows.length - MOST_CALLS)} more calls`,
    () => place.replaceWith(...rows.slice(MOST_CALLS)),
    { class: "small" },
  );
  place.append(el("td", { colspan: 4 }, more));
  body.append(place);
}

function callRow(call, record, end) {
  const open = button(calledFor(call, record), () => toggle(), { class: "link", "aria-expanded": "false" });
  let details = null;
  function toggle() {
    if (details) details.remove();
    details = details ? null : el("tr", { class: "about" }, el("td", { colspan: 4 }, aboutCall(call, record)));
    if (details) made.after(details);
    open.setAttribute("aria-expanded", String(details !== null));
  }
  const made = row(
    `call ${call.ending}`,
    [open, server(call, record), outcome(call)],
    bar(call, end, parts(call)),
    call,
  );
  return made;
}

function row(kind, what, drawn, { started_ms: start, ended_ms: ended }) {
  return el(
    "tr",
    { class: kind },
    el("th", { scope: "row" }, what),
    el("td", {}, drawn),
    el("td", { class: "start number" }, duration(start)),
    el("td", { class: "number" }, duration(ended - start)),
  );
}

/** The server of the call, if the run used several. */
function server(call, record) {
  const several = new Set(record.calls.map((each) => each.server)).size > 1;
  return several && call.server !== null
    ? el("span", { class: "outcome muted" }, " at ", isolated(call.server, 60))
    : null;
}

function outcome(call) {
  const found = [];
  if (call.ending === "cancelled") found.push("⊘ cancelled");
  if (call.ending === "failed") found.push(el("span", { class: "bad" }, "✕ failed"));
  if (call.retries.length)
    found.push(
      el(
        "span",
        { class: "warn" },
        `↻ ${call.retries.length === 1 ? "1 retry" : `${count(call.retries.length)} retries`}`,
      ),
    );
  return found.length
    ? el(
        "span",
        { class: "outcome" },
        found.map((each) => [" ", each]),
      )
    : null;
}

function parts(call) {
  const after = call.first_token_ms;
  if (after === null) return [["unstreamed", call.started_ms, call.ended_ms]];
  return [
    ["prefill", call.started_ms, after],
    ["writing", after, call.ended_ms],
  ];
}

function bar(each, end, drawn) {
  const track = el("div", { class: "track", "aria-hidden": "true" });
  for (const [kind, from, to] of drawn) {
    track.append(
      styled(el("span", { class: kind }), {
        left: `${(100 * from) / end}%`,
        width: `${(100 * Math.max(0, to - from)) / end}%`,
      }),
    );
  }
  for (const retry of each.retries ?? [])
    track.append(styled(el("span", { class: "again" }, "↻"), { left: `${(100 * retry.at_ms) / end}%` }));
  return track;
}

function axis(end) {
  return el(
    "span",
    { class: "axis" },
    el("span", {}, "0"),
    el("span", { class: "half" }, duration(end / 2)),
    el("span", {}, duration(end)),
  );
}

function legend(calls) {
  const streamed = calls.some((call) => call.first_token_ms !== null);
  const kinds = streamed
    ? [
        ["prefill", "until the first token"],
        ["writing", "generating"],
      ]
    : [["unstreamed", "model call (not streamed)"]];
  return el(
    "p",
    { class: "legend muted" },
    [["execution", "node"], ...kinds].map(([kind, label]) => [
      el("span", { class: `swatch ${kind}`, "aria-hidden": "true" }),
      ` ${label} `,
    ]),
  );
}
