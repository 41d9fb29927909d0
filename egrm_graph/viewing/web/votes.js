// The votes of the fast answers, compared with the threshold.

import { el, isolated, styled, table } from "./dom.js";
import { count, figure, percent, plural } from "./words.js";

const SHARES = new Set(["consensus"]); // measures whose value is the share of the first vote

export function votes(record) {
  const { uncertainty: measured, answer, readings: read } = record.verification;
  if (measured.samples === 0 && measured.votes.length === 0)
    return el("p", { class: "muted" }, "No fast answers were drawn.");
  return el("div", {}, bars(measured, answer), gate(measured), axis(measured, record.margin), readings(read));
}

function bars(measured, answer) {
  const shared = SHARES.has(measured.measure);
  const lost = measured.samples - measured.votes.reduce((sum, vote) => sum + vote.count, 0);
  const rows = measured.votes.map((vote, i) =>
    voteRow(
      isolated(vote.answer, 60),
      vote.count,
      measured,
      `vote-${Math.min(i, 3)}`,
      vote.answer === answer ? "the verdict" : null,
    ),
  );
  if (lost > 1e-9) rows.push(voteRow(el("em", {}, "lost"), lost, measured, "lost", "no readable answer"));
  const made = table("Votes of the fast answers", ["answer", "votes", "count"], rows, { class: "votes" });
  if (shared) styled(made, { "--at": Math.max(0, Math.min(1, measured.threshold)) });
  if (shared) made.classList.add("with-line");
  const undrawn = measured.planned - measured.samples;
  return el(
    "div",
    {},
    made,
    shared
      ? el(
          "p",
          { class: "legend muted" },
          el("span", { class: "swatch line", "aria-hidden": "true" }),
          ` threshold ${figure(measured.threshold)}: `,
          measured.threshold > 1
            ? "more than all votes, so the gate never opens"
            : `${figure(measured.threshold * measured.samples)} of ${count(measured.samples)} votes`,
        )
      : null,
    undrawn > 0
      ? el(
          "p",
          { class: "muted" },
          `${plural(undrawn, "fast answer")} of ${count(measured.planned)} not drawn: drawing stopped early.`,
        )
      : null,
  );
}

function voteRow(answer, n, measured, kind, note) {
  const bar = styled(el("span", { class: `bar ${kind}` }), {
    "--share": measured.samples ? Math.min(1, n / measured.samples) : 0,
  });
  return [
    answer,
    el("div", { class: "track", "aria-hidden": "true" }, bar),
    el(
      "div",
      {},
      el("span", { class: "number" }, `${figure(n)} of ${count(measured.samples)}`),
      note ? [" ", el("span", { class: "muted" }, note)] : null,
    ),
  ];
}

function gate(measured) {
  if (measured.value === null)
    return el("p", {}, `${measured.measure} could not be measured; threshold ${figure(measured.threshold)}.`);
  return el(
    "p",
    {},
    el("strong", {}, `${measured.measure} ${figure(measured.value)}`),
    `, threshold ${figure(measured.threshold)}`,
    measured.orders_agree === null
      ? null
      : `; the orders of the candidates ${measured.orders_agree ? "agree" : "disagree"}`,
    ".",
  );
}

/** The value and the threshold on an axis, for measures that are not shares of votes. */
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
      certain ? `, certain if ${certain} (shaded)` : null,
      typeof margin === "number" ? `, margin ${figure(margin)}` : null,
      `. The axis goes from ${figure(low)} to ${figure(high)}.`,
    ),
  );
}

/** The label probabilities in each order of the candidates. */
function readings(all) {
  if (all.length === 0) return null;
  const outcomes = [...new Set(all.flatMap((each) => Object.keys(each.probabilities ?? {})))].sort();
  const rows = all.map((each) => [
    each.order.length ? each.order.join(" ") : "as given",
    ...outcomes.map((outcome) => (each.probabilities ? percent(each.probabilities[outcome]) : "none")),
    each.mass === null ? "none" : percent(each.mass),
    each.error === null ? "" : isolated(each.error),
  ]);
  return el(
    "div",
    {},
    el("h3", {}, "Label probabilities, by order of the candidates"),
    table("Label probabilities", ["order", ...outcomes, "on labels", "error"], rows),
  );
}
