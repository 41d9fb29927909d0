// The details of one model call.

import { el } from "./dom.js";
import { atLength } from "./longtext.js";
import { count, duration, plural } from "./words.js";

/** The samples, paths, or labels that a call was made for. */
export function calledFor(call, record) {
  if (call.kind === "labels") return `labels ${call.labels.slice(0, 6).join(", ")}`;
  const verdict = record.verification;
  const drawn = call.node === "expand_cot" ? ["path", verdict?.paths ?? []] : ["fast answer", verdict?.samples ?? []];
  const places = drawn[1].flatMap((each, i) =>
    each.request_id === call.request_id && call.seeds.includes(each.seed) ? [i + 1] : [],
  );
  if (places.length === 0) return plural(call.seeds.length, "sample");
  return places.length === 1 ? `${drawn[0]} ${places[0]}` : `${drawn[0]}s ${places[0]} to ${places.at(-1)}`;
}

export function aboutCall(call, record) {
  const sampling = Object.entries(call.sampling).map(([name, value]) => `${name} ${JSON.stringify(value)}`);
  const finishes = [...new Set(call.generated.map((each) => each.finish_reason ?? "unknown"))];
  const facts = [
    ["request", call.request_id],
    ["server", call.server ?? "none, the model ran in the process"],
    [
      "first token",
      call.first_token_ms === null
        ? "unknown, the answer was not streamed"
        : `after ${duration(call.first_token_ms - call.started_ms)}`,
    ],
    [
      "prompt",
      call.prompt === null || !record.prompts[call.prompt] ? "not recorded" : `prompt ${call.prompt + 1}, below`,
    ],
    ["form of reply", call.reply_form ?? ""],
    ["seeds", call.seeds.join(", ")],
    ["sampling", sampling.join(", ")],
    ["finished by", finishes.join(", ")],
    ["usage", call.usage ? spent(call.usage) : "unknown, the call did not complete"],
    ...call.retries.map((retry) => [`retry at ${duration(retry.at_ms)}`, retry.reason]),
    ...(call.error === null ? [] : [["error", call.error]]),
    ...call.generated.filter((each) => each.error !== null).map((each) => [`seed ${each.seed}`, each.error]),
  ];
  return el(
    "dl",
    {},
    facts
      .filter(([, value]) => value !== "")
      .map(([name, value]) => [el("dt", {}, name), el("dd", {}, atLength(value, 600))]),
  );
}

function spent({ prompt_tokens: prompt, cached_tokens: cached, completion_tokens: completion }) {
  return `${count(prompt)} prompt tokens (${count(cached)} cached), ${count(completion)} completion tokens`;
}
