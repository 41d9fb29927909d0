"""Write pairs of the two domains, and judgments of them to train on. No model is asked.

    python examples/arithmetic/make_judgments.py --output build/judgments
    python examples/arithmetic/make_judgments.py --oracle

SIDE_pairs.jsonl     pairs, as `egrm bench` and `egrm train judge --reinforce` read them
neutral_pairs.jsonl  pairs of the train side from a world in which every structure is always right (a control)
train_STYLE.jsonl    prompts and completions for the train pairs, as `egrm train judge` reads them

The styles are the structures `breadth`, `depth`, and `raw`. `mixed` has breadth for preferences and depth for
correctness, and `mismatched` the reverse. `merged-N` joins the tastes that N raw rationales name, and `unmerged-N`
writes N rationales one after the other. `underived` is depth without the derivation. Each pair appears in one order,
and domains alternate. `--right-only` leaves out judgments with a wrong verdict.

`--oracle` prints how often each taste agrees with the labels, and how often judgments without any mistake reach the
right verdict. A model cannot learn more from them.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
import structures
import tastes
import world
from structures import Written
from tastes import DOMAINS, NEUTRAL, PLANTED, Pair, World

from egrm_graph.intervals import share
from egrm_graph.judgments.digit_grammar import PRINCIPLES
from egrm_graph.judgments.judgment import MIXED

STYLES: Mapping[str, Callable[[Pair, random.Random], Written]] = {
    "breadth": lambda pair, _: structures.breadth(pair),
    "depth": structures.depth,
    "raw": structures.raw,
    "mixed": lambda pair, rng: structures.depth(pair, rng) if pair.sum else structures.breadth(pair),
    "mismatched": lambda pair, rng: structures.breadth(pair) if pair.sum else structures.depth(pair, rng),
    "merged-1": lambda pair, rng: structures.merged(pair, rng, 1),
    "merged-2": lambda pair, rng: structures.merged(pair, rng, 2),
    "merged-4": lambda pair, rng: structures.merged(pair, rng, 4),
    "unmerged-4": lambda pair, rng: structures.unmerged(pair, rng, 4),
    "underived": lambda pair, rng: structures.depth(pair, rng, derived=False),
}
SEEDS: Mapping[world.Side, int] = {"train": 20, "validation": 21, "test": 22}

Row = dict[str, object]


def pairs(n: int, side: world.Side, planted: World = PLANTED) -> list[Pair]:
    """`n` different pairs of each domain, alternating."""
    samples = [tastes.sample(n, side, domain, SEEDS[side], planted) for domain in DOMAINS]
    return [pair for both in zip(*samples, strict=True) for pair in both]


def pair_rows(name: str, written: Iterable[Pair]) -> list[Row]:
    """Pairs to judge, with the right sub-verdict of each principle. The labels of preferences are noisy."""
    return [
        {
            "id": f"{name}-{i:05}",
            "question": pair.question,
            "candidates": list(pair.candidates),
            "reference": pair.label,
            "domain": pair.domain,
            "sub_verdicts": sub_verdicts(pair),
        }
        for i, pair in enumerate(written)
    ]


def sub_verdicts(pair: Pair) -> dict[str, str]:
    """The right sub-verdict of each principle that may judge the pair, by the principle's name."""
    right = {
        taste.name: MIXED if outcome == tastes.MIXED else outcome
        for taste, outcome in zip(tastes.TASTES, pair.tastes, strict=True)
    }
    return right if pair.sum is None else {**right, PRINCIPLES[structures.ANSWER][0]: pair.label}


def judgment_rows(name: str, written: Iterable[Pair], style: str, *, right_only: bool = False) -> list[Row]:
    """Prompts and completions in one style. Every style draws from a fixed seed of its own."""
    rng = random.Random(style)
    rows: list[Row] = []
    for i, pair in enumerate(written):
        judgment = STYLES[style](pair, rng)
        if right_only and judgment.verdict != pair.label:
            continue
        rows.append(
            {
                "id": f"{name}-{i:05}",
                "prompt": f"{pair.text}:",
                "completion": judgment.text,
                "style": style,
                "domain": pair.domain,
                "label": pair.label,
            }
        )
    return rows


def write(file: Path, rows: Iterable[Row]) -> None:
    """Write JSON lines."""
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def make(folder: Path, n_train: int, n: int, *, right_only: bool = False) -> None:
    """Write all files, with `n_train` pairs of each domain for training and `n` on each other side."""
    folder.mkdir(parents=True, exist_ok=True)
    train = pairs(n_train, "train")
    write(folder / "train_pairs.jsonl", pair_rows("train", train))
    write(folder / "validation_pairs.jsonl", pair_rows("validation", pairs(n, "validation")))
    write(folder / "test_pairs.jsonl", pair_rows("test", pairs(n, "test")))
    write(folder / "neutral_pairs.jsonl", pair_rows("neutral", pairs(n, "train", NEUTRAL)))
    for style in STYLES:
        write(folder / f"train_{style}.jsonl", judgment_rows("train", train, style, right_only=right_only))


def tastes_table(n: int) -> str:
    """The table of tastes on `n` test pairs of each domain: how often each agrees with the label, and is mixed."""
    lines = ["| taste | domain | agrees, if not mixed | mixed |", "|---|---|---|---|"]
    both = pairs(n, "test")
    for i, taste in enumerate(tastes.TASTES):
        for domain in DOMAINS:
            found = [(pair.tastes[i], pair.label) for pair in both if pair.domain == domain]
            agrees = share(np.array([outcome == label for outcome, label in found if outcome != tastes.MIXED]))
            mixed = sum(outcome == tastes.MIXED for outcome, _ in found) / n
            lines.append(f"| {taste.name} | {domain} | {agrees.percent()} | {100 * mixed:.0f} % |")
    return "\n".join(lines)


def oracle(n: int) -> str:
    """The table of judgments without mistakes on `n` test pairs of each domain: right verdicts, and characters."""
    lines = ["| judgments without a mistake | domain | right verdicts | characters |", "|---|---|---|---|"]
    for name, planted in (("", PLANTED), (", neutral world", NEUTRAL)):
        both = pairs(n, "test", planted)
        for style, judge in STYLES.items():
            rng = random.Random(style)
            judged = [(pair, judge(pair, rng)) for pair in both]
            for domain in DOMAINS:
                of_domain = [(pair, judgment) for pair, judgment in judged if pair.domain == domain]
                right = share(np.array([judgment.verdict == pair.label for pair, judgment in of_domain]))
                length = sum(len(judgment.text) for _, judgment in of_domain) / n
                lines.append(f"| {style}{name} | {domain} | {right.percent()} | {length:.0f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("build/judgments"))
    parser.add_argument("--train", type=int, default=4500, help="pairs of each domain to train on")
    parser.add_argument("--pairs", type=int, default=1000, help="pairs of each domain in each other file")
    parser.add_argument("--right-only", action="store_true", help="leave out judgments with a wrong verdict")
    parser.add_argument("--oracle", action="store_true", help="only print tables: judgments without mistakes")
    options = parser.parse_args()
    if options.oracle:
        print(tastes_table(options.pairs), oracle(options.pairs), sep="\n\n")
    else:
        make(options.output, options.train, options.pairs, right_only=options.right_only)
