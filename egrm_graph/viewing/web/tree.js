// The tree of a run's paths: each path with the part of its text that it does not share with the one that it branches
// from. Python works the tree out (path_tree.py).

import { button, el, isolated, scrollingTable, styled } from "./dom.js";
import { level, probability, visible } from "./tokens.js";
import { count, fixed, known, percent, plural } from "./words.js";

const MOST_LEAVES = 300;
const MOST_IN_FULL = 4000; // characters; with more, only the beginning of each text is shown first
const DEEPEST = 12; // levels that are drawn; deeper ones are drawn at this level
const LONGEST = 40; // characters of a token

/** Null if the paths are not a tree. */
export function tree(record) {
  const leaves = record.tree ?? [];
  if (leaves.length === 0) return null;
  const paths = record.verification.paths;
  const marks = [];
  const shown = leaves.slice(0, MOST_LEAVES);
  const rows = shown.map((leaf, i) => row(leaf, shown[i + 1], paths, record.verification.best_path, marks));
  const headings = ["path", "answer", "score", "weight", "text after the branch"];
  const body = scrollingTable(
    "Tree of paths",
    headings.map((heading) => el("th", { scope: "col" }, heading)),
    el("tbody", {}, rows),
  );
  const figure = el("div", { class: "tree" }, el("p", { class: "muted" }, about(leaves, marks)));
  if (marks.length) figure.append(stepper(body, marks));
  figure.append(controls(figure, leaves), body);
  const left = leaves.length - shown.length;
  if (left) figure.append(el("p", { class: "muted" }, `${plural(left, "more path")} below, under Paths.`));
  return figure;
}

function about(leaves, marks) {
  const roots = leaves.filter((leaf) => leaf.parent === null).length;
  const leavesOf = `${count(leaves.length)} ${leaves.length === 1 ? "leaf" : "leaves"} of ${plural(roots, "tree")}`;
  return [
    `${leavesOf}, with ${plural(marks.length, "anchor")}: marked tokens, at which the model was unsure. `,
    "Each path has the text after its branch; before it, the text is that of its parent. ",
    leaves.some((leaf) => leaf.weight === null)
      ? "This record of a tree is damaged, so weights are unknown."
      : "The weight is the share of the tree's probability.",
  ];
}

function controls(figure, leaves) {
  const short = button("Short texts", () => toggle(!figure.classList.contains("short")), { class: "small" });
  function toggle(on) {
    figure.classList.toggle("short", on);
    short.setAttribute("aria-pressed", String(on));
  }
  const characters = leaves.flatMap((leaf) => leaf.pieces).reduce((sum, piece) => sum + piece.text.length, 0);
  toggle(characters > MOST_IN_FULL);
  return el("p", {}, short);
}

function row(leaf, next, paths, best, marks) {
  const path = paths[leaf.path];
  const won = leaf.path === best;
  const name = `Path ${count(leaf.path + 1)}`;
  const origin =
    leaf.parent === null ? null : el("span", { class: "from muted" }, `from ${count(leaf.parent + 1)}, token ${count(leaf.at + 1)}`);
  const isParent = next !== undefined && next.rails.length > leaf.rails.length;
  return el(
    "tr",
    { class: won ? "winner" : null },
    el(
      "th",
      { scope: "row" },
      rails(leaf, isParent),
      styled(el("span", { class: "leaf" }, name, won ? el("strong", { class: "won" }, " ★ chosen") : null, origin), {
        "--level": Math.min(leaf.rails.length, DEEPEST),
      }),
    ),
    el("td", {}, path.answer === null ? el("span", { class: "muted" }, "none") : isolated(path.answer, 60)),
    el("td", { class: "number" }, known(path.score) ? fixed(path.score) : el("span", { class: "muted" }, "none")),
    el("td", { class: "number" }, share(leaf.weight)),
    el("td", {}, own(leaf, path, name, marks)),
  );
}

function share(weight) {
  if (weight === null) return "unknown";
  return weight > 0 && weight < 0.0005 ? "< 0.1 %" : percent(weight);
}

/** The lines that connect a row with its parent, and with what branches from it. */
function rails({ rails: levels }, isParent) {
  const deep = levels.length > DEEPEST;
  const drawn = (deep ? levels.slice(-DEEPEST) : levels).map((goesOn, i, all) => {
    const kind = i === all.length - 1 ? (goesOn ? "rail fork" : "rail end") : goesOn ? "rail through" : null;
    return kind && styled(el("span", { class: kind }), { "--level": i });
  });
  const below = isParent && levels.length < DEEPEST ? styled(el("span", { class: "rail below" }), { "--level": levels.length }) : null;
  return el("span", { class: "rails", "aria-hidden": "true" }, drawn, below);
}

function own(leaf, path, name, marks) {
  const anchors = path.branch.anchors;
  const pieces = leaf.pieces.flatMap(({ text, anchor, step }) => [
    anchor === null ? text : mark(text, anchors[anchor], leaf.tried[anchor], name, marks),
    step === null ? null : el("span", { class: "step" }, el("span", { class: "unseen" }, " step score "), fixed(step)),
  ]);
  const notes = [
    path.error,
    path.text === null && path.error === null ? "text not recorded" : null,
    leaf.hidden ? `${count(leaf.hidden)} more characters, under Paths` : null,
    path.finish_reason === "length" ? "cut off at the token limit" : null,
  ].filter(Boolean);
  return [
    el("div", { class: "own" }, pieces),
    notes.length ? el("p", { class: "muted" }, isolated(notes.join("; "), 300)) : null,
  ];
}

function mark(text, anchor, tried, name, marks) {
  const sentence = described(anchor, tried);
  const made = el("span", { class: `token anchor unsure-${level(anchor.entropy)}`, title: sentence });
  made.textContent = text === "" ? `⟨token ${count(anchor.at + 1)}⟩` : visible(text, LONGEST);
  marks.push({ made, anchor, tried, name });
  return [made, el("span", { class: "unseen" }, ` (anchor: ${sentence}) `)];
}

function described(anchor, tried) {
  const others = anchor.others.map((token, i) => {
    const where = tried[i] === null ? "not tried" : `tried in path ${count(tried[i] + 1)}`;
    return `${quoted(token)} ${percent(probability(token.logprob))} ${where}`;
  });
  const taken = `${quoted(anchor.taken)} ${percent(probability(anchor.taken.logprob))} taken`;
  return `entropy ${nats(anchor)}; ${[taken, ...others].join("; ")}`;
}

function nats({ entropy, entropy_most: most }) {
  const low = fixed(entropy);
  const high = fixed(most);
  return low === high ? `${low} nats` : `${low} to ${high} nats`;
}

function quoted({ id, text }) {
  if (text === "") return `token number ${count(id)}`;
  return `“${visible(text, LONGEST)}”`;
}

/** Buttons that step through the anchors, and what is known of the current one. */
function stepper(body, marks) {
  let current = -1;
  const panel = el(
    "div",
    { class: "panel", "aria-live": "polite" },
    "Point at a marked token or use the buttons to see its entropy, and which other tokens were tried.",
  );
  const places = new Map(marks.map(({ made }, i) => [made, i]));
  function choose(i, scroll) {
    marks[current]?.made.classList.remove("current");
    current = (i + marks.length) % marks.length;
    marks[current].made.classList.add("current");
    if (scroll) marks[current].made.scrollIntoView({ block: "nearest", inline: "nearest" });
    panel.replaceChildren(details(marks[current]));
  }
  const at = (event) => places.get(event.target);
  body.addEventListener("mousemove", (event) => {
    const moved = event.movementX !== 0 || event.movementY !== 0; // otherwise the text scrolled under the pointer
    if (moved && at(event) !== undefined && at(event) !== current) choose(at(event), false);
  });
  body.addEventListener("click", (event) => {
    if (at(event) !== undefined) choose(at(event), false);
  });
  return el(
    "div",
    {},
    el(
      "div",
      { class: "modes", role: "group", "aria-label": "Anchors" },
      button("Previous anchor", () => choose(current < 0 ? -1 : current - 1, true), { class: "small" }),
      button(`Next anchor (${count(marks.length)})`, () => choose(current + 1, true), { class: "small" }),
    ),
    panel,
  );
}

function details({ anchor, tried, name }) {
  const line = (token, what, chosen) =>
    el(
      "li",
      { class: chosen ? "chosen" : null },
      token.text === ""
        ? el("span", { class: "muted" }, quoted(token))
        : el("code", {}, el("bdi", {}, visible(token.text, LONGEST))),
      styled(el("span", { class: "bar", "aria-hidden": "true" }), { "--share": probability(token.logprob) }),
      el("span", { class: "number" }, percent(probability(token.logprob))),
      ` ${what}`,
    );
  return el(
    "div",
    {},
    el("p", {}, `${name}, token ${count(anchor.at + 1)}: entropy ${nats(anchor)}`),
    el(
      "ol",
      {},
      line(anchor.taken, "taken", true),
      anchor.others.map((token, i) =>
        line(token, tried[i] === null ? "not tried" : `tried in path ${count(tried[i] + 1)}`, false),
      ),
    ),
  );
}
