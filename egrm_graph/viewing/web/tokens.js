// A text by token, colored by the uncertainty of the model.

import { button, el, escaped, styled, characterEnd } from "./dom.js";
import { count, fixed, percent } from "./words.js";

const STEPS_NATS = [0.1, 0.3, 0.6, 1.0, 1.5];
const UNSURE_NATS = 0.6;
const STEP = 5000; // tokens per step
const LONGEST = 200; // characters of a token
const MOST_ALTERNATIVES = 20;

/** The known tokens at position `i` and their probabilities, including the chosen one, most likely first. */
export function likeliest(tokens, i) {
  const logprobs = { ...tokens.alternatives[i] };
  const found = Object.entries(logprobs).map(([text, logprob]) => ({ text, p: probability(logprob) }));
  if (!found.some((each) => each.text === tokens.texts[i])) {
    found.push({ text: tokens.texts[i], p: probability(tokens.logprobs[i]) });
  }
  return found.sort((a, b) => b.p - a.p);
}

/** A lower bound of the entropy in nats: it treats the missing probability as one more token. */
export function entropyNats(found) {
  const missing = 1 - found.reduce((sum, each) => sum + each.p, 0);
  const terms = [...found.map((each) => each.p), missing];
  return terms.reduce((sum, p) => (p > 1e-12 ? sum - p * Math.log(p) : sum), 0);
}

/** The tokens of a text. Hovering or the arrow keys show the alternatives. */
export function tokenText(tokens, name) {
  const entropies = tokens.texts.map((_, i) => entropyNats(likeliest(tokens, i)));
  const panel = el(
    "div",
    { class: "panel", "aria-live": "polite" },
    "Point at a token or use the arrow keys to see its alternatives.",
  );
  const all = tokens.texts.length;
  const keys = {
    role: "group",
    tabindex: 0,
    "aria-label": `Tokens of ${name}, ${count(all)}: use the left and right arrow keys to step through them`,
  };
  const body = el("div", { class: "text tokens", ...keys });
  const more = button("", () => grow(spans.length + STEP), { class: "more" });
  const spans = [];
  let current = -1;
  function grow(until) {
    while (spans.length < Math.min(until, all)) {
      const made = el("span", { class: `token unsure-${level(entropies[spans.length])}` });
      made.textContent = visible(tokens.texts[spans.length], LONGEST);
      made.dataset.i = spans.length;
      spans.push(made);
    }
    body.replaceChildren(...spans);
    const left = all - spans.length;
    more.textContent = `Show ${count(Math.min(STEP, left))} more tokens of ${count(left)} not shown`;
    more.hidden = left === 0;
  }
  function choose(i, scroll) {
    if (i < 0 || i >= all) return;
    if (i >= spans.length) grow(i + STEP);
    spans[current]?.classList.remove("current");
    current = i;
    spans[i].classList.add("current");
    if (scroll) spans[i].scrollIntoView({ block: "nearest" });
    panel.replaceChildren(about(tokens, i, entropies[i]));
  }
  grow(STEP);
  body.addEventListener("mousemove", (event) => {
    const moved = event.movementX !== 0 || event.movementY !== 0; // otherwise the text scrolled under the pointer
    const i = Number(event.target.dataset?.i ?? current);
    if (moved && i !== current) choose(i, false);
  });
  body.addEventListener("click", (event) => {
    if (event.target.dataset?.i) choose(Number(event.target.dataset.i), false);
  });
  body.addEventListener("keydown", (event) => {
    const to = { ArrowRight: current + 1, ArrowLeft: current - 1, Home: 0, End: all - 1 }[event.key];
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
  return el("div", { class: "by-token" }, el("div", { class: "over" }, legend(), stepper), panel, body, more);
}

function about(tokens, i, nats) {
  const found = likeliest(tokens, i);
  const missing = Math.max(0, 1 - found.reduce((sum, each) => sum + each.p, 0));
  const bars = found
    .slice(0, MOST_ALTERNATIVES)
    .map((each) =>
      el(
        "li",
        { class: each.text === tokens.texts[i] ? "chosen" : null },
        el("code", {}, el("bdi", {}, visible(each.text, 40))),
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
      el("code", {}, el("bdi", {}, visible(tokens.texts[i], 40))),
      `, entropy at least ${fixed(nats)} nats`,
    ),
    el("ol", {}, bars),
    found.length > bars.length
      ? el("p", { class: "muted" }, `${count(found.length - bars.length)} less likely tokens were also recorded.`)
      : null,
    missing > 0.0005 ? el("p", { class: "muted" }, `Tokens that were not recorded have ${percent(missing)}.`) : null,
  );
}

function legend() {
  const steps = [...STEPS_NATS.map((nats) => `under ${nats}`), `${STEPS_NATS.at(-1)} or more`];
  return el(
    "p",
    { class: "legend muted" },
    "Lower bound of the entropy in nats (only the most likely tokens are recorded): ",
    steps.map((label, i) => [el("span", { class: `token unsure-${i}` }, label), " "]),
  );
}

export function level(nats) {
  const found = STEPS_NATS.findIndex((step) => nats < step);
  return found < 0 ? STEPS_NATS.length : found;
}

export function probability(logprob) {
  return typeof logprob === "number" ? Math.min(1, Math.exp(logprob)) : 0;
}

export function visible(text, longest) {
  const visibleText = text.length > longest ? `${text.slice(0, characterEnd(text, longest))} …` : text;
  return escaped(visibleText.replaceAll("\n", "↵\n"));
}
