// Switch between the overview and a run, and between themes.

import { button, el } from "./dom.js";
import { overview } from "./overview.js";
import { run } from "./run.js";
import { addressOf, count, shortId } from "./words.js";

const index = JSON.parse(document.getElementById("index").textContent);
const main = document.querySelector("main");
const places = new Map(index.runs.map((row, i) => [addressOf(row.run_id), i]));
let all = null; // kept, because its filters persist
let left = 0; // its scroll position

function record(i) {
  return JSON.parse(document.querySelectorAll("script.record")[i].textContent);
}

function wanted() {
  return places.get(location.hash) ?? (index.runs.length === 1 ? 0 : null);
}

function show(moved) {
  const i = wanted();
  const atRun = main.dataset.run !== undefined;
  if (i === null) {
    all ??= overview(index);
    delete main.dataset.run;
    main.replaceChildren(...all);
    document.title = "Runs · egrm-graph";
  } else {
    if (!atRun && moved) left = scrolled;
    main.dataset.run = index.runs[i].run_id;
    main.replaceChildren(...navigation(i), ...run(record(i)));
    document.title = `Run ${shortId(index.runs[i].run_id)} · egrm-graph`;
  }
  if (!moved) return;
  main.querySelector("h1").focus({ preventScroll: true });
  window.scrollTo(0, i === null ? left : 0);
}

/** Links to the overview and to the previous and next run. */
function navigation(i) {
  if (index.runs.length === 1) return [];
  const link = (to, label) => (index.runs[to] ? el("a", { href: addressOf(index.runs[to].run_id) }, label) : null);
  return [
    el(
      "nav",
      { "aria-label": "Runs" },
      el("a", { href: "#" }, "← All runs"),
      el("span", { class: "muted" }, `${count(i + 1)} of ${count(index.runs.length)}`),
      link(i - 1, "previous"),
      link(i + 1, "next"),
    ),
  ];
}

const dark = window.matchMedia("(prefers-color-scheme: dark)");
const theme = button("", () => paint(document.documentElement.dataset.theme !== "dark"), {
  class: "small",
  id: "theme",
});

function paint(isDark) {
  document.documentElement.dataset.theme = isDark ? "dark" : "light";
  theme.textContent = isDark ? "Light theme" : "Dark theme";
}

let scrolled = 0;
window.addEventListener(
  "scroll",
  () => {
    if (main.dataset.run === undefined) scrolled = window.scrollY;
  },
  { passive: true },
);
window.addEventListener("hashchange", () => show(true));
dark.addEventListener("change", () => paint(dark.matches));
document.querySelector("header").append(theme);
history.scrollRestoration = "manual";
paint(dark.matches);
show(false);
