// Format numbers.

const NUMBER = new Intl.NumberFormat("en");
const FIGURE = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });

export function known(value) {
  return typeof value === "number" && Number.isFinite(value);
}

export function count(value) {
  return known(value) ? NUMBER.format(value) : "unknown";
}

export function plural(n, word) {
  return `${count(n)} ${word}${n === 1 ? "" : "s"}`;
}

/** Three significant digits. */
export function figure(value) {
  return known(value) ? FIGURE.format(value) : value === null ? "none" : String(value);
}

/** Format a number in [0, 1] with fixed digits, for columns. */
export function fixed(value) {
  return known(value) ? value.toFixed(3) : "none";
}

export function percent(share) {
  return known(share) ? `${(100 * share).toFixed(share > 0.0995 || share === 0 ? 0 : 1)} %` : "unknown";
}

export function duration(ms) {
  if (!known(ms)) return "unknown";
  if (ms < 1000) return `${FIGURE.format(ms < 10 ? Math.round(ms * 10) / 10 : Math.round(ms))} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
}

export function moment(seconds) {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime())
    ? "unknown time"
    : date.toISOString().replace("T", " ").slice(0, 19) + " UTC";
}

/** The name of candidate `i` of `n`, as in the verification. */
export function candidateName(i, n) {
  return n <= 26 ? String.fromCharCode(65 + i) : String(i + 1);
}

export function shortId(id) {
  return id.length > 12 ? id.slice(0, 8) : id;
}

/** The address of a run in this page. An address cannot contain unpaired surrogates, so they are replaced. */
export function addressOf(id) {
  return `#run=${encodeURIComponent(id.toWellFormed())}`;
}

/** The value below which a share of the sorted values lies. */
export function quantile(sorted, share) {
  return sorted.length ? sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] : null;
}
