// A text token by token, each coloured by how unsure the model was there.

import { button, el, said, spelled, styled } from "./dom.js";
import { count, fixed, percent } from "./words.js";

const STEPS_NATS = [0.1, 0.3, 0.6, 1.0, 1.5];
const UNSURE_NATS = 0.6;

/** The probabilities of the tokens that are known at place `i`, the chosen one's among them, the largest first. */
export function likeliest(tokens, i) {
  const logprobs = { ...tokens.alternatives[i] };
  const found = Object.entries(logprobs).map(([text, logprob]) => ({ text, p: probability(logprob) }));
  if (!found.some((each) => each.text === tokens.texts[i])) {
    found.push({ text: tokens.texts[i], p: probability(tokens.logprobs[i]) });
  }
  return found.sort((a, b) => b.p - a.p);
}

/** The least that the entropy can be, in nats: what is missing from the known tokens is taken to be one more token. */
export function entropyNats(found) {
  const missing = 1 - found.reduce((sum, each) => sum + each.p, 0);
  const terms = [...found.map((each) => each.p), missing];
  return terms.reduce((sum, p) => (p > 1e-12 ? sum - p * Math.log(p) : sum), 0);
}

/** The tokens; hovering or the arrow keys show what else there might have been. */
export function tokenText(tokens, name) {
  const entropies = tokens.texts.map((_, i) => entropyNats(likeliest(tokens, i)));
  const panel = el(
    "div",
    { class: "panel", "aria-live": "polite" },
    "Point at a token, or step with the arrow keys, to see its alternatives.",
  );
  const spans = tokens.texts.map((text, i) => {
    const made = el("span", { class: `token unsure-${level(entropies[i])}` });
    made.textContent = seen(text);
    made.dataset.i = i;
    return made;
  });
  const keys = {
    role: "group",
    tabindex: 0,
    "aria-label": `Tokens of ${name}, ${count(spans.length)}: left and right arrow keys step through them`,
  };
  const body = el("div", { class: "text tokens", ...keys }, spans);
  let current = -1;
  function choose(i, scroll) {
    if (i < 0 || i >= spans.length) return;
    spans[current]?.classList.remove("current");
    current = i;
    spans[i].classList.add("current");
    if (scroll) spans[i].scrollIntoView({ block: "nearest" });
    panel.replaceChildren(about(tokens, i, entropies[i]));
  }
  body.addEventListener("mouseover", (event) => {
    if (event.target.dataset?.i) choose(Number(event.target.dataset.i), false);
  });
  body.addEventListener("click", (event) => {
    if (event.target.dataset?.i) choose(Number(event.target.dataset.i), false);
  });
  body.addEventListener("keydown", (event) => {
    const to = { ArrowRight: current + 1, ArrowLeft: current - 1, Home: 0, End: spans.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    choose(to, true);
  });
  const next = () => {
    const later = entropies.findIndex((nats, i) => i > current && nats >= UNSURE_NATS);
    choose(later >= 0 ? later : entropies.findIndex((nats) => nats >= UNSURE_NATS), true);
  };
  const unsure = entropies.filter((nats) => nats >= UNSURE_NATS).length;
  const stepper = unsure ? button(`Next unsure token (${count(unsure)})`, next, { class: "small" }) : null;
  return el("div", { class: "by-token" }, el("div", { class: "over" }, legend(), stepper), panel, body);
}

function about(tokens, i, nats) {
  const found = likeliest(tokens, i);
  const missing = Math.max(0, 1 - found.reduce((sum, each) => sum + each.p, 0));
  const bars = found.map((each) =>
    el(
      "li",
      { class: each.text === tokens.texts[i] ? "chosen" : null },
      el("code", {}, said(seen(each.text), 40)),
      styled(el("span", { class: "bar", "aria-hidden": "true" }), { "--share": Math.min(1, each.p) }),
      el("span", { class: "number" }, percent(each.p)),
      each.text === tokens.texts[i] ? " chosen" : null,
    ),
  );
  return el(
    "div",
    {},
    el(
      "p",
      {},
      `Token ${count(i + 1)} of ${count(tokens.texts.length)}: `,
      el("code", {}, said(seen(tokens.texts[i]), 40)),
      `, entropy at least ${fixed(nats)} nats`,
    ),
    el("ol", {}, bars),
    missing > 0.0005 ? el("p", { class: "muted" }, `${percent(missing)} is on tokens that were not recorded.`) : null,
  );
}

function legend() {
  const steps = [...STEPS_NATS.map((nats) => `under ${nats}`), `${STEPS_NATS.at(-1)} or more`];
  return el(
    "p",
    { class: "legend muted" },
    "Entropy in nats, at least (only the likeliest tokens are recorded): ",
    steps.map((label, i) => [el("span", { class: `token unsure-${i}` }, label), " "]),
  );
}

function level(nats) {
  const found = STEPS_NATS.findIndex((step) => nats < step);
  return found < 0 ? STEPS_NATS.length : found;
}

function probability(logprob) {
  return typeof logprob === "number" ? Math.min(1, Math.exp(logprob)) : 0;
}

function seen(text) {
  return spelled(text.replaceAll("\n", "↵\n"));
}
