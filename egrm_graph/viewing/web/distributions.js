// The distribution of a figure by route: two histograms on one axis, each scaled to its own maximum.

import { el, svg } from "./dom.js";
import { known, plural, quantile } from "./words.js";

const BINS = 24;
const WIDTH = 320;
const HEIGHT = 44;

/** Create a figure with both histograms. Null if no run has a value. `show` formats a value. */
export function distribution(title, rows, valueOf, show) {
  const values = rows.map(valueOf).filter(known);
  if (values.length === 0) return null;
  const sorted = values.toSorted((a, b) => a - b);
  const [low, high] = [Math.min(0, sorted[0]), sorted.at(-1)];
  const logarithmic = sorted[0] > 0 && high > 50 * quantile(sorted, 0.5);
  const scale = logarithmic
    ? (x) => Math.log(x / sorted[0]) / Math.log(high / sorted[0] || 2)
    : (x) => (high > low ? (x - low) / (high - low) : 0.5);
  const routes = ["direct", "reasoned"].map((route) => ({
    route,
    values: rows
      .filter((row) => row.route === route)
      .map(valueOf)
      .filter(known)
      .toSorted((a, b) => a - b),
  }));
  const counted = routes.map((each) => ({ ...each, bins: binned(each.values, scale) }));
  return el(
    "figure",
    { class: "distribution" },
    el("h3", {}, title),
    counted
      .filter((each) => each.values.length)
      .map((each) => [
        el(
          "p",
          { class: "route" },
          el("span", { class: `swatch ${each.route}`, "aria-hidden": "true" }),
          ` ${each.route}: ${plural(each.values.length, "run")}, median ${show(quantile(each.values, 0.5))}`,
          `, 90 % within ${show(quantile(each.values, 0.9))}`,
        ),
        histogram(each, title),
      ]),
    el(
      "figcaption",
      { class: "axis muted" },
      el("span", {}, show(logarithmic ? sorted[0] : low)),
      logarithmic ? el("span", {}, "log scale") : null,
      el("span", {}, show(high)),
    ),
  );
}

function binned(values, scale) {
  const bins = Array(BINS).fill(0);
  for (const value of values) bins[Math.max(0, Math.min(BINS - 1, Math.floor(scale(value) * BINS)))] += 1;
  return bins;
}

function histogram({ route, bins }, title) {
  const most = Math.max(...bins);
  const step = WIDTH / BINS;
  const bars = bins.map((n, i) => {
    const height = n === 0 ? 0 : Math.max(2, (n / most) * HEIGHT);
    return svg("rect", { class: route, x: i * step + 0.5, y: HEIGHT - height, width: step - 1, height });
  });
  return svg(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `Histogram of ${title} on the ${route} route` },
    bars,
    svg("line", { x1: 0, x2: WIDTH, y1: HEIGHT, y2: HEIGHT }),
  );
}
