// The reasoning paths and fast answers of a run.

import { el, folded } from "./dom.js";
import { reader } from "./reader.js";
import { judgmentNote, judgmentOf } from "./units.js";
import { plural } from "./words.js";

function missingReason(record) {
  if (!record.texts) return "Texts were not recorded (trace_texts is off).";
  return record.level === "summary" ? "Trace level summary records no texts." : "No text.";
}

export function paths(record) {
  const verdict = record.verification;
  if (!verdict) return null;
  if (verdict.paths.length === 0)
    return el(
      "p",
      { class: "muted" },
      verdict.route === "direct" ? "None were needed, because the fast answers converged." : "No paths were drawn.",
    );
  const items = itemsOf(verdict.paths, record, "Path", (path, i) => ({
    score: path.score,
    note: [path.error ?? (path.score === null ? path.unscored : null), noteOn(judgmentOf(path))].filter(Boolean).join("; "),
    won: i === verdict.best_path,
    steps: path.steps?.length ? path.steps : null, // records of earlier versions have none
    judgment: judgmentOf(path),
  }));
  const left = verdict.best_path ?? 0;
  const other = items.findIndex((item, i) => i !== left && item.answer !== null && item.answer !== items[left].answer);
  const right = other >= 0 ? other : items.length > 1 ? Number(left === 0) : left;
  const uncalibrated = verdict.calibrated === false && verdict.rewards === null; // judged candidates have no such scores
  return el(
    "div",
    {},
    uncalibrated ? el("p", { class: "muted" }, "The scores are not calibrated.") : null,
    reader(items, { what: "Paths", noun: "path", scored: true, left, right, missingReason: missingReason(record) }),
  );
}

export function samples(record) {
  const verdict = record.verification;
  if (!verdict || verdict.samples.length === 0)
    return verdict?.readings.length
      ? el("p", { class: "muted" }, "None were drawn, because the label probabilities were used.")
      : null;
  const items = itemsOf(verdict.samples, record, "Fast answer", (sample, i) => {
    const vote = verdict.uncertainty.votes[record.classes[i] ?? -1];
    return { note: sample.error ?? (vote ? `counts for ${vote.answer}` : sample.answer === null ? "lost" : null) };
  });
  return folded(`${plural(items.length, "fast answer")} with texts`, () =>
    reader(items, {
      what: "Fast answers",
      noun: "fast answer",
      scored: false,
      left: 0,
      right: Math.min(1, items.length - 1),
      missingReason: missingReason(record),
    }),
  );
}

function itemsOf(all, record, name, more) {
  const key = (request, seed) => `${request}\n${seed}`;
  const generated = new Map(
    record.calls.flatMap((call) => call.generated.map((each) => [key(call.request_id, each.seed), each])),
  );
  // The tokens of a completion with several paths are not those of any one of them.
  const alone = (one) =>
    all.filter((each) => key(each.request_id, each.seed) === key(one.request_id, one.seed)).length === 1;
  const made = all.map((each, i) => ({
    name: `${name} ${i + 1}`,
    answer: each.answer,
    nTokens: each.n_tokens,
    text: each.text,
    thinking: each.thinking,
    tokens: (alone(each) && generated.get(key(each.request_id, each.seed))?.tokens) || null,
    missing: each.error,
    score: null,
    steps: null,
    judgment: null,
    won: false,
    ...more(each, i),
  }));
  return made.map((item, i) => ({ ...item, note: [item.note, ...drawing(all[i])].filter(Boolean).join("; ") }));
}

function noteOn(judgment) {
  return judgment === null ? null : judgmentNote(judgment);
}

/** Notes on how a text was drawn. */
function drawing({ finish_reason: finish, order }) {
  return [
    finish === "length" ? "cut off at the token limit" : null,
    order.length ? `candidates shown as ${order.join(", ")}` : null,
  ];
}
