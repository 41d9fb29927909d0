// One run, from its answer down to its settings.

import { el, folded, said, section, styled, table } from "./dom.js";
import { longText } from "./longtext.js";
import { reader } from "./reader.js";
import { timeline } from "./timeline.js";
import { axis, candidates, votes } from "./votes.js";
import { count, duration, figure, known, moment, percent, plural, shortId } from "./words.js";

const ENDINGS = {
  ok: "✓ ok",
  degraded: "◐ degraded",
  abstained: "○ abstained",
  failed: "✕ failed",
  cancelled: "⊘ cancelled",
  unfinished: "… unfinished",
};

export function run(record) {
  const told = record.verification;
  const judged = (told?.rewards ?? null) !== null || (record.asked?.judged ?? null) !== null;
  return [
    headline(record),
    section("Why", () => why(record), { class: "why" }),
    section("What went wrong", () => wrong(record)),
    section("Votes", () => (told ? [votes(told), axis(record)].filter(Boolean).reduce((all, each) => (all.append(each), all), el("div")) : null)),
    judged ? section("Candidates", () => candidates(record)) : null,
    section("Paths", () => paths(record)),
    section("Timeline", () => timeline(record)),
    section("Fast answers", () => samples(record)),
    section("Prompts", () => prompts(record)),
    section("Usage", () => usage(record)),
    section("Settings", () => settings(record)),
    section("About this run", () => about(record)),
  ].filter(Boolean);
}

export function badge(ending) {
  return el("span", { class: `badge ${ending}` }, ENDINGS[ending] ?? ending);
}

function headline(record) {
  const told = record.verification;
  const question = record.asked ? said(record.asked.question, 1000) : el("span", { class: "muted" }, "question not recorded");
  const answer = told?.answer ?? null;
  const right = told?.correct === true ? "✓ right" : told?.correct === false ? "✕ wrong" : null;
  const facts = [
    badge(record.ending),
    told ? el("span", { class: "badge" }, told.route === "direct" ? "→ direct" : "↳ reasoned") : null,
    right ? el("span", { class: `badge ${told.correct ? "right" : "wrong"}` }, right, " by the reference") : null,
    told && known(told.confidence) ? el("span", { class: "badge" }, `confidence ${figure(told.confidence)}${told.calibrated ? "" : told.calibrated === false ? ", not calibrated" : ""}`) : null,
    told && told.tie !== null && told.answer === "tie" ? el("span", { class: "badge" }, "tie") : null,
  ];
  const figures = [
    ["took", duration(record.ms)],
    ["completion tokens", count(told?.usage.completion_tokens ?? null)],
    ["requests", count(told?.usage.requests ?? null)],
    ["margin to the gate", record.margin === null ? "none" : figure(record.margin)],
  ];
  return el(
    "div",
    { class: "headline" },
    el("p", { class: "question" }, question),
    el("h1", { tabindex: -1, class: answer === null ? "none" : null }, answer === null ? "No answer" : said(answer, 300)),
    el("p", { class: "badges" }, facts),
    el("dl", { class: "figures" }, figures.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value)))),
  );
}

function why(record) {
  const sentences = record.why.length ? record.why : [withoutWhy(record)];
  return el("ol", { class: "sentences" }, sentences.map((sentence) => el("li", {}, said(sentence, 3000))));
}

function withoutWhy(record) {
  if (record.verification) return "The record does not say.";
  return `There is no verdict: the run was ${record.ending === "failed" ? "ended by an error" : record.ending}.`;
}

/** Everything that was lost on the way; null where nothing was. */
function wrong(record) {
  const told = record.verification;
  const found = [
    ...(record.error === null ? [] : [["the run", record.error]]),
    ...(told?.reasons ?? []).map((reason) => ["the verdict", reason]),
    ...record.nodes.filter((node) => node.error !== null).map((node) => [node.name, node.error]),
    ...record.calls.filter((call) => call.ending === "failed" || call.error !== null).map((call) => [call.node, call.error ?? "a call of the model failed"]),
    ...(told?.samples ?? []).flatMap((sample, i) => (sample.error === null ? [] : [[`fast answer ${i + 1}`, sample.error]])),
    ...(told?.paths ?? []).flatMap((path, i) => (path.error === null ? [] : [[`path ${i + 1}`, path.error]])),
  ];
  if (found.length === 0) return null;
  const shown = [...new Map(found.map((each) => [each.join("\n"), each])).values()];
  return el("ul", { class: "wrong" }, shown.slice(0, 100).map(([where, text]) => el("li", {}, el("strong", {}, where), ": ", said(text, 2000))), shown.length > 100 ? el("li", {}, `and ${count(shown.length - 100)} more`) : null);
}

function whyMissing(record) {
  if (!record.texts) return "Texts were not captured (trace_texts is off).";
  return record.level === "summary" ? "There are no texts at trace level summary." : "There is no text.";
}

function paths(record) {
  const told = record.verification;
  if (!told) return null;
  if (told.paths.length === 0) return el("p", { class: "muted" }, told.route === "direct" ? "None were needed: the fast answers converged." : "No path was drawn.");
  const items = itemsOf(told.paths, record, "Path", (path, i) => ({
    score: path.score,
    note: path.error ?? (path.score === null ? path.unscored : null),
    won: i === told.best_path,
  }));
  const left = told.best_path ?? 0;
  const other = items.findIndex((item, i) => i !== left && item.answer !== null && item.answer !== items[left].answer);
  const right = other >= 0 ? other : items.length > 1 ? Number(left === 0) : left;
  const calibrated = told.calibrated === false ? el("p", { class: "muted" }, "The scores are not calibrated.") : null;
  return el("div", {}, calibrated, reader(items, { what: "Paths", scored: true, left, right, whyMissing: whyMissing(record) }));
}

function samples(record) {
  const told = record.verification;
  if (!told || told.samples.length === 0) return told?.readings.length ? el("p", { class: "muted" }, "None were drawn: the labels' probabilities were read.") : null;
  const items = itemsOf(told.samples, record, "Fast answer", (sample, i) => {
    const vote = told.uncertainty.votes[record.classes[i] ?? -1];
    return { note: sample.error ?? (vote ? `counts for ${vote.answer}` : sample.answer === null ? "lost" : null) };
  });
  return folded(`${plural(items.length, "fast answer")}, with their texts`, () =>
    reader(items, { what: "Fast answers", scored: false, left: 0, right: Math.min(1, items.length - 1), whyMissing: whyMissing(record) }),
  );
}

function itemsOf(all, record, name, more) {
  const key = (request, seed) => `${request}\n${seed}`;
  const generated = new Map(record.calls.flatMap((call) => call.generated.map((each) => [key(call.request_id, each.seed), each])));
  return all.map((each, i) => ({
    name: `${name} ${i + 1}`,
    answer: each.answer,
    nTokens: each.n_tokens,
    text: each.text,
    thinking: each.thinking,
    tokens: generated.get(key(each.request_id, each.seed))?.tokens ?? null,
    missing: each.error,
    score: null,
    won: false,
    ...more(each, i),
  }));
}

function prompts(record) {
  if (record.prompts.length === 0) return el("p", { class: "muted" }, record.texts ? "No prompts were recorded: they are at trace level full." : "Texts were not captured (trace_texts is off).");
  return el("div", {}, record.prompts.map((messages, i) => {
    const calls = record.calls.filter((call) => call.prompt === i);
    const nodes = [...new Set(calls.map((call) => call.node))].join(", ");
    return folded(`Prompt ${i + 1}: ${nodes || "not sent"}, ${plural(calls.length, "call")}`, () =>
      el("div", {}, messages.map((message) => el("div", {}, el("h3", {}, said(message.role, 40)), longText(message.content)))),
    );
  }));
}

function usage(record) {
  const fields = ["requests", "prompt_tokens", "cached_tokens", "completion_tokens", "cancelled_tokens"];
  const names = [...new Set([...record.nodes.map((node) => node.name), ...record.calls.map((call) => call.node)])];
  const cells = (spent, ms) => [...fields.map((field) => count(spent[field])), ms];
  const rows = names.map((name) => {
    const spent = Object.fromEntries(fields.map((field) => [field, record.calls.filter((call) => call.node === name).reduce((sum, call) => sum + (call.usage?.[field] ?? 0), 0)]));
    const ms = record.verification?.timing_ms[name] ?? record.nodes.filter((node) => node.name === name).reduce((sum, node) => sum + node.ended_ms - node.started_ms, 0);
    return [name, ...cells(spent, duration(ms))];
  });
  const whole = record.verification?.usage;
  if (whole) rows.push([el("strong", {}, "the whole run"), ...cells(whole, duration(record.ms))]);
  const lost = record.calls.filter((call) => call.usage === null).length;
  const note = lost ? el("p", { class: "muted" }, `${plural(lost, "call")} did not come to an end: what that cost is only in the whole run.`) : null;
  return el("div", {}, table("Usage by node", ["node", ...fields.map((field) => field.replace("_", " ")), "time"], rows, { class: "numbers" }), note);
}

function settings(record) {
  const all = Object.entries(record.settings);
  if (all.length === 0) return el("p", { class: "muted" }, "No settings were recorded.");
  const shown = (some) => table("Settings", ["setting", "value", "from"], some.map(([name, { value, source }]) => [el("code", {}, name), el("code", {}, said(typeof value === "string" ? value : JSON.stringify(value), 500)), source]));
  const set = all.filter(([, setting]) => setting.source !== "default");
  const defaults = all.filter(([, setting]) => setting.source === "default");
  return el(
    "div",
    {},
    set.length ? shown(set) : el("p", { class: "muted" }, "All settings have their defaults."),
    defaults.length ? folded(`${plural(defaults.length, "setting")} left at the default`, () => shown(defaults)) : null,
  );
}

function about(record) {
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
  return el("dl", { class: "about" }, facts.map(([name, value]) => [el("dt", {}, said(name, 80)), el("dd", {}, said(value, 500))]));
}
