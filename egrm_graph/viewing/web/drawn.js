// What the model drew in a run: its reasoning paths and its fast answers.

import { el, folded } from "./dom.js";
import { reader } from "./reader.js";
import { plural } from "./words.js";

function whyMissing(record) {
  if (!record.texts) return "Texts were not captured (trace_texts is off).";
  return record.level === "summary" ? "There are no texts at trace level summary." : "There is no text.";
}

export function paths(record) {
  const told = record.verification;
  if (!told) return null;
  if (told.paths.length === 0)
    return el(
      "p",
      { class: "muted" },
      told.route === "direct" ? "None were needed: the fast answers converged." : "No path was drawn.",
    );
  const items = itemsOf(told.paths, record, "Path", (path, i) => ({
    score: path.score,
    note: path.error ?? (path.score === null ? path.unscored : null),
    won: i === told.best_path,
  }));
  const left = told.best_path ?? 0;
  const other = items.findIndex((item, i) => i !== left && item.answer !== null && item.answer !== items[left].answer);
  const right = other >= 0 ? other : items.length > 1 ? Number(left === 0) : left;
  const uncalibrated = told.calibrated === false && told.rewards === null; // a verdict says nothing of its scores
  return el(
    "div",
    {},
    uncalibrated ? el("p", { class: "muted" }, "The scores are not calibrated.") : null,
    reader(items, { what: "Paths", each: "path", scored: true, left, right, whyMissing: whyMissing(record) }),
  );
}

export function samples(record) {
  const told = record.verification;
  if (!told || told.samples.length === 0)
    return told?.readings.length
      ? el("p", { class: "muted" }, "None were drawn: the labels' probabilities were read.")
      : null;
  const items = itemsOf(told.samples, record, "Fast answer", (sample, i) => {
    const vote = told.uncertainty.votes[record.classes[i] ?? -1];
    return { note: sample.error ?? (vote ? `counts for ${vote.answer}` : sample.answer === null ? "lost" : null) };
  });
  return folded(`${plural(items.length, "fast answer")}, with their texts`, () =>
    reader(items, {
      what: "Fast answers",
      each: "fast answer",
      scored: false,
      left: 0,
      right: Math.min(1, items.length - 1),
      whyMissing: whyMissing(record),
    }),
  );
}

function itemsOf(all, record, name, more) {
  const key = (request, seed) => `${request}\n${seed}`;
  const generated = new Map(
    record.calls.flatMap((call) => call.generated.map((each) => [key(call.request_id, each.seed), each])),
  );
  const made = all.map((each, i) => ({
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
  return made.map((item, i) => ({ ...item, note: [item.note, ...drawing(all[i])].filter(Boolean).join("; ") }));
}

/** What is to be known of how a text was drawn. */
function drawing({ finish_reason: finish, order }) {
  return [
    finish === "length" ? "cut off at its largest number of tokens" : null,
    order.length ? `candidates shown as ${order.join(", ")}` : null,
  ];
}
