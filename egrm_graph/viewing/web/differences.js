// Find the parts of two texts that differ, by the longest common subsequence of words, or of lines for long texts.

const WORDS = /(?:[\p{L}\p{M}]+|\p{N}+|[^\s\p{L}\p{M}\p{N}])\s*|\s+/gu;
const LINES = /[^\n]*\n|[^\n]+/g;
const MOST_CELLS = 40_000_000; // one byte each; two texts of 6,000 words take about 0.2 s

/**
 * Split both texts into pieces `{text, common}`. `unit` is "word" or "line". Null if even the lines are too many to
 * compare.
 */
export function differences(left, right) {
  for (const [unit, pattern] of [
    ["word", WORDS],
    ["line", LINES],
  ]) {
    const a = left.match(pattern) ?? [];
    const b = right.match(pattern) ?? [];
    const [start, end] = sharedEnds(a, b);
    if ((a.length - start - end) * (b.length - start - end) <= MOST_CELLS) {
      const common = inBoth(a.slice(start, a.length - end), b.slice(start, b.length - end));
      return {
        unit,
        left: pieces(a, start, end, common.a),
        right: pieces(b, start, end, common.b),
      };
    }
  }
  return null;
}

/** The number of equal pieces at the start and at the end. */
function sharedEnds(a, b) {
  const shorter = Math.min(a.length, b.length);
  let start = 0;
  while (start < shorter && same(a[start], b[start])) start += 1;
  let end = 0;
  while (end < shorter - start && same(a[a.length - 1 - end], b[b.length - 1 - end])) end += 1;
  return [start, end];
}

function same(one, other) {
  return one.trim() === other.trim();
}

/** For each piece, whether it is in the longest common subsequence. */
function inBoth(a, b) {
  const numbers = new Map();
  const numbered = (piece) => {
    const key = piece.trim();
    if (!numbers.has(key)) numbers.set(key, numbers.size);
    return numbers.get(key);
  };
  const rows = Int32Array.from(a, numbered);
  const columns = Int32Array.from(b, numbered);
  const steps = new Uint8Array(rows.length * columns.length); // 1: in both; 2: only in a; 3: only in b
  let below = new Int32Array(columns.length + 1);
  let here = new Int32Array(columns.length + 1);
  for (let i = rows.length - 1; i >= 0; i -= 1) {
    for (let j = columns.length - 1; j >= 0; j -= 1) {
      const cell = i * columns.length + j;
      if (rows[i] === columns[j]) {
        here[j] = below[j + 1] + 1;
        steps[cell] = 1;
      } else if (below[j] >= here[j + 1]) {
        here[j] = below[j];
        steps[cell] = 2;
      } else {
        here[j] = here[j + 1];
        steps[cell] = 3;
      }
    }
    [below, here] = [here, below];
  }
  return walked(steps, rows.length, columns.length);
}

function walked(steps, n, m) {
  const common = { a: new Uint8Array(n), b: new Uint8Array(m) };
  for (let i = 0, j = 0; i < n && j < m;) {
    const step = steps[i * m + j];
    if (step === 1) common.a[i] = common.b[j] = 1;
    if (step !== 3) i += 1;
    if (step !== 2) j += 1;
  }
  return common;
}

/** Merge adjacent pieces of the same kind. */
function pieces(all, start, end, common) {
  const found = [];
  all.forEach((text, i) => {
    const isCommon = i < start || i >= all.length - end || common[i - start] === 1;
    const last = found.at(-1);
    if (last && last.common === isCommon) last.text += text;
    else found.push({ text, common: isCommon });
  });
  return found;
}
