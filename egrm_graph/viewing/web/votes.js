// The votes of the fast answers, and where they stand against the threshold.

import { el, said, styled, table } from "./dom.js";
import { count, figure, percent, plural } from "./words.js";

const SHARES = new Set(["consensus"]); // the measures whose value is the first vote's share

export function votes(record) {
  const { uncertainty: seen, answer, readings: read } = record.verification;
  if (seen.samples === 0 && seen.votes.length === 0) return el("p", { class: "muted" }, "No fast answer was drawn.");
  return el("div", {}, bars(seen, answer), gate(seen), axis(seen, record.margin), readings(read));
}

function bars(seen, answer) {
  const shared = SHARES.has(seen.measure);
  const lost = seen.samples - seen.votes.reduce((sum, vote) => sum + vote.count, 0);
  const rows = seen.votes.map((vote, i) =>
    voteRow(
      said(vote.answer, 60),
      vote.count,
      seen,
      `vote-${Math.min(i, 3)}`,
      vote.answer === answer ? "the verdict" : null,
    ),
  );
  if (lost > 1e-9) rows.push(voteRow(el("em", {}, "lost"), lost, seen, "lost", "no answer to be read"));
  const made = table("Votes of the fast answers", ["answer", "votes", "count"], rows, { class: "votes" });
  if (shared) styled(made, { "--at": Math.max(0, Math.min(1, seen.threshold)) });
  if (shared) made.classList.add("with-line");
  const undrawn = seen.planned - seen.samples;
  return el(
    "div",
    {},
    made,
    shared
      ? el(
          "p",
          { class: "legend muted" },
          el("span", { class: "swatch line", "aria-hidden": "true" }),
          ` threshold ${figure(seen.threshold)}: `,
          seen.threshold > 1
            ? "more than all votes, so it never opens"
            : `${figure(seen.threshold * seen.samples)} of ${count(seen.samples)} votes`,
        )
      : null,
    undrawn > 0
      ? el(
          "p",
          { class: "muted" },
          `${plural(undrawn, "fast answer")} of ${count(seen.planned)} not drawn: drawing stopped early.`,
        )
      : null,
  );
}

function voteRow(answer, n, seen, kind, note) {
  const bar = styled(el("span", { class: `bar ${kind}` }), {
    "--share": seen.samples ? Math.min(1, n / seen.samples) : 0,
  });
  return [
    answer,
    el("div", { class: "track", "aria-hidden": "true" }, bar),
    el(
      "div",
      {},
      el("span", { class: "number" }, `${figure(n)} of ${count(seen.samples)}`),
      note ? [" ", el("span", { class: "muted" }, note)] : null,
    ),
  ];
}

function gate(seen) {
  if (seen.value === null)
    return el("p", {}, `${seen.measure} could not be measured; threshold ${figure(seen.threshold)}.`);
  return el(
    "p",
    {},
    el("strong", {}, `${seen.measure} ${figure(seen.value)}`),
    `, threshold ${figure(seen.threshold)}`,
    seen.orders_agree === null ? null : `; the orders of the candidates ${seen.orders_agree ? "agree" : "disagree"}`,
    ".",
  );
}

/** Value and threshold on an axis, for measures that are not shares of votes. */
function axis({ value, threshold, measure }, margin) {
  if (SHARES.has(measure) || typeof value !== "number" || typeof threshold !== "number") return null;
  const low = Math.min(0, value, threshold);
  const high = Math.max(1, value, threshold) * 1.05;
  const at = (x) => `${(100 * (x - low)) / (high - low)}%`;
  const certain =
    typeof margin !== "number" || margin === 0 ? null : margin > 0 === value > threshold ? "higher" : "lower";
  const side = el("span", { class: "certain" });
  if (certain === "higher") styled(side, { left: at(threshold), right: "0" });
  if (certain === "lower") styled(side, { left: "0", width: at(threshold) });
  const drawn = [
    certain ? side : null,
    styled(el("span", { class: "threshold" }), { left: at(threshold) }),
    styled(el("span", { class: "value" }), { left: at(value) }),
  ];
  return el(
    "figure",
    {},
    el("div", { class: "gate", "aria-hidden": "true" }, drawn),
    el(
      "figcaption",
      { class: "muted" },
      `● ${measure} ${figure(value)}, | threshold ${figure(threshold)}`,
      certain ? `, certain where ${certain} (shaded)` : null,
      typeof margin === "number" ? `, margin ${figure(margin)}` : null,
      `. The axis goes from ${figure(low)} to ${figure(high)}.`,
    ),
  );
}

/** What the probabilities of the labels were, in each order of the candidates. */
function readings(all) {
  if (all.length === 0) return null;
  const outcomes = [...new Set(all.flatMap((each) => Object.keys(each.probabilities ?? {})))].sort();
  const rows = all.map((each) => [
    each.order.length ? each.order.join(" ") : "as given",
    ...outcomes.map((outcome) => (each.probabilities ? percent(each.probabilities[outcome]) : "none")),
    each.mass === null ? "none" : percent(each.mass),
    each.error === null ? "" : said(each.error),
  ]);
  return el(
    "div",
    {},
    el("h3", {}, "Label probabilities, by order of the candidates"),
    table("Label probabilities", ["order", ...outcomes, "on labels", "error"], rows),
  );
}
