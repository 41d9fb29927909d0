// One run, from its answer down to its settings.

import { about, prompts, settings, usage } from "./details.js";
import { candidates } from "./candidates.js";
import { el, folded, said, section } from "./dom.js";
import { paths, samples } from "./drawn.js";
import { atLength, longText } from "./longtext.js";
import { timeline } from "./timeline.js";
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
  const told = record.verification;
  const judged = (told?.rewards ?? null) !== null || (record.asked?.judged ?? null) !== null;
  return [
    headline(record),
    section("Why", () => why(record), { class: "why" }),
    section("What went wrong", () => wrong(record)),
    section("Votes", () => (told ? votes(record) : null)),
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
  const question = record.asked
    ? atLength(record.asked.question, 600)
    : el("span", { class: "muted" }, "question not recorded");
  const answer = told?.answer ?? null;
  const right = told?.correct === true ? "✓ right" : told?.correct === false ? "✕ wrong" : null;
  const facts = [
    badge(record.ending),
    told ? el("span", { class: "badge" }, told.route === "direct" ? "→ direct" : "↳ reasoned") : null,
    right ? el("span", { class: `badge ${told.correct ? "right" : "wrong"}` }, right, " by the reference") : null,
    told && known(told.confidence)
      ? el(
          "span",
          { class: "badge" },
          `confidence ${figure(told.confidence)}`,
          told.calibrated === false ? ", not calibrated" : null,
        )
      : null,
    told && told.tie !== null && told.answer === "tie" ? el("span", { class: "badge" }, "tie") : null,
  ];
  const figures = [
    ["took", duration(record.ms)],
    ["completion tokens", count(told?.usage.completion_tokens ?? null)],
    ["requests", count(told?.usage.requests ?? null)],
    ["threshold", margin(record)],
  ];
  return el(
    "div",
    { class: "headline" },
    el("div", { class: "question" }, question),
    el(
      "h1",
      { tabindex: -1, class: answer === null ? "none" : null },
      answer === null ? "No answer" : said(answer, 200),
    ),
    (told?.best_guess ?? null) === null
      ? null
      : el("p", { class: "muted" }, "Best guess, withheld: ", said(told.best_guess, 200)),
    answer !== null && answer.length > 200 ? folded("The whole answer", () => longText(answer)) : null,
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
  return by < -1e-9 ? `missed by ${figure(-by)}` : by > 1e-9 ? `met, by ${figure(by)}` : "just met";
}

function why(record) {
  const sentences = record.why.length ? record.why : [withoutWhy(record)];
  return el(
    "ol",
    { class: "sentences" },
    sentences.map((sentence) => el("li", {}, atLength(sentence, 600))),
  );
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
    ...(told ? [] : record.nodes.flatMap((node) => node.reasons.map((reason) => [node.name, reason]))),
    ...(told?.reasons ?? []).map((reason) => ["the verdict", reason]),
    ...record.nodes.filter((node) => node.error !== null).map((node) => [node.name, node.error]),
    ...record.calls
      .filter((call) => call.ending === "failed" || call.error !== null)
      .map((call) => [call.node, call.error ?? "a call of the model failed"]),
    ...(told?.samples ?? []).flatMap((sample, i) =>
      sample.error === null ? [] : [[`fast answer ${i + 1}`, sample.error]],
    ),
    ...(told?.paths ?? []).flatMap((path, i) => (path.error === null ? [] : [[`path ${i + 1}`, path.error]])),
  ];
  if (found.length === 0) return null;
  const shown = [...new Map(found.map((each) => [each.join("\n"), each])).values()];
  return el(
    "ul",
    { class: "wrong" },
    shown.slice(0, 100).map(([where, text]) => el("li", {}, el("strong", {}, where), ": ", atLength(text, 600))),
    shown.length > 100 ? el("li", {}, `and ${count(shown.length - 100)} more`) : null,
  );
}
