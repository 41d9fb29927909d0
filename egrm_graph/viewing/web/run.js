// The view of one run.

import { about, prompts, settings, usage } from "./details.js";
import { candidates } from "./candidates.js";
import { el, folded, isolated, section } from "./dom.js";
import { paths, samples } from "./drawn.js";
import { atLength, longText } from "./longtext.js";
import { timeline } from "./timeline.js";
import { tree } from "./tree.js";
import { votes } from "./votes.js";
import { count, duration, figure, known } from "./words.js";

const ENDINGS = {
  ok: "✓ ok",
  degraded: "◐ degraded",
  abstained: "○ abstained",
  failed: "✕ failed",
  cancelled: "⊘ cancelled",
  unfinished: "… unfinished",
};

export function run(record) {
  const verdict = record.verification;
  const judged = (verdict?.rewards ?? null) !== null || (record.asked?.judged ?? null) !== null;
  return [
    headline(record),
    section("Why", () => explanation(record), { class: "why" }),
    section("What went wrong", () => wrong(record)),
    section("Votes", () => (verdict ? votes(record) : null)),
    judged ? section("Candidates", () => candidates(record)) : null,
    section("Tree of paths", () => tree(record)),
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
  const verdict = record.verification;
  const question = record.asked
    ? atLength(record.asked.question, 600)
    : el("span", { class: "muted" }, "question not recorded");
  const answer = verdict?.answer ?? null;
  const right = verdict?.correct === true ? "✓ right" : verdict?.correct === false ? "✕ wrong" : null;
  const facts = [
    badge(record.ending),
    verdict ? el("span", { class: "badge" }, verdict.route === "direct" ? "→ direct" : "↳ reasoned") : null,
    right ? el("span", { class: `badge ${verdict.correct ? "right" : "wrong"}` }, right, " by the reference") : null,
    verdict && known(verdict.confidence)
      ? el(
          "span",
          { class: "badge" },
          `confidence ${figure(verdict.confidence)}`,
          verdict.calibrated === false ? ", not calibrated" : null,
        )
      : null,
    verdict && verdict.tie !== null && verdict.answer === "tie" ? el("span", { class: "badge" }, "tie") : null,
  ];
  const figures = [
    ["took", duration(record.ms)],
    ["completion tokens", count(verdict?.usage.completion_tokens ?? null)],
    ["requests", count(verdict?.usage.requests ?? null)],
    ["threshold", margin(record)],
  ];
  return el(
    "div",
    { class: "headline" },
    el("div", { class: "question" }, question),
    el(
      "h1",
      { tabindex: -1, class: answer === null ? "none" : null },
      answer === null ? "No answer" : isolated(answer, 200),
    ),
    (verdict?.best_guess ?? null) === null
      ? null
      : el("p", { class: "muted" }, "Withheld best guess: ", isolated(verdict.best_guess, 200)),
    answer !== null && answer.length > 200 ? folded("Full answer", () => longText(answer)) : null,
    el("p", { class: "badges" }, facts),
    el(
      "dl",
      { class: "figures" },
      figures.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))),
    ),
  );
}

function margin({ margin: by }) {
  if (!known(by)) return "not compared";
  return by < -1e-9 ? `missed by ${figure(-by)}` : by > 1e-9 ? `met by ${figure(by)}` : "just met";
}

function explanation(record) {
  const sentences = record.why.length ? record.why : [missingExplanation(record)];
  return el(
    "ol",
    { class: "sentences" },
    sentences.map((sentence) => el("li", {}, atLength(sentence, 600))),
  );
}

function missingExplanation(record) {
  if (record.verification) return "The record has no explanation.";
  return `The run has no verdict: it ${record.ending === "failed" ? "failed" : `was ${record.ending}`}.`;
}

/** Everything that went wrong. Null if nothing did. */
function wrong(record) {
  const verdict = record.verification;
  const found = [
    ...(record.error === null ? [] : [["the run", record.error]]),
    ...(verdict ? [] : record.nodes.flatMap((node) => node.reasons.map((reason) => [node.name, reason]))),
    ...(verdict?.reasons ?? []).map((reason) => ["the verdict", reason]),
    ...record.nodes.filter((node) => node.error !== null).map((node) => [node.name, node.error]),
    ...record.calls
      .filter((call) => call.ending === "failed" || call.error !== null)
      .map((call) => [call.node, call.error ?? "a model call failed"]),
    ...(verdict?.samples ?? []).flatMap((sample, i) =>
      sample.error === null ? [] : [[`fast answer ${i + 1}`, sample.error]],
    ),
    ...(verdict?.paths ?? []).flatMap((path, i) => (path.error === null ? [] : [[`path ${i + 1}`, path.error]])),
  ];
  if (found.length === 0) return null;
  const distinct = [...new Map(found.map((each) => [each.join("\n"), each])).values()];
  return el(
    "ul",
    { class: "wrong" },
    distinct.slice(0, 100).map(([where, text]) => el("li", {}, el("strong", {}, where), ": ", atLength(text, 600))),
    distinct.length > 100 ? el("li", {}, `and ${count(distinct.length - 100)} more`) : null,
  );
}
