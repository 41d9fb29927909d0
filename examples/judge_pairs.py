"""A judge over a file of pairs: which of two worked answers is the better one?

    python examples/judge_pairs.py
    EGRM_ENGINE=vllm EGRM_MODEL=Qwen/Qwen3-8B python examples/judge_pairs.py my-pairs.jsonl

A line is `{"prompt", "chosen", "rejected"}`. Without a file it judges some of those in `pairs.jsonl`, which are the
bundled model's kind.
"""

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from egrm_graph import Verification, build_graph
from egrm_graph.settings import settings_from_environment


def candidates(i: int, pair: dict[str, str]) -> list[str]:
    """The better one comes second in every other pair."""
    both = [pair["chosen"], pair["rejected"]]
    return both if i % 2 == 0 else both[::-1]


def outcome(i: int, verification: Verification) -> str:
    if verification["status"] == "abstained":
        return "not judged"
    if verification["winner"] is None:
        return "a tie"
    return "right" if verification["winner"] == i % 2 else "wrong"


def judge(graph: Any, pairs: Sequence[dict[str, str]]) -> list[Verification]:
    given = [{"question": pair["prompt"], "candidates": candidates(i, pair)} for i, pair in enumerate(pairs)]
    return [out["verification"] for out in graph.batch(given, {"max_concurrency": 16})]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path, nargs="?", default=Path(__file__).with_name("pairs.jsonl"))
    parser.add_argument("--first", type=int, default=50, help="how many pairs of the file")
    options = parser.parse_args()
    pairs = [json.loads(line) for line in options.file.read_text().strip().split("\n")[: options.first]]
    graph = build_graph(settings_from_environment().model_copy(update={"task": "pairwise"}))
    verifications = judge(graph, pairs)
    counts = Counter(outcome(i, each) for i, each in enumerate(verifications))
    tokens = sum(each["usage"]["completion_tokens"] for each in verifications)
    print(", ".join(f"{n} {name}" for name, n in counts.most_common()), f"({tokens} tokens)")


if __name__ == "__main__":
    main()
