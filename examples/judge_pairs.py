"""Judge a file of pairs: which of two worked answers is better?

    python examples/judge_pairs.py
    EGRM_ENGINE=vllm EGRM_MODEL=Qwen/Qwen3-8B python examples/judge_pairs.py my-pairs.jsonl

A line is `{"prompt", "chosen", "rejected"}`. Without a file, it judges some of the pairs in `pairs.jsonl`, which the
bundled model can read.
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
    """Both answers, with the better one second in every other pair."""
    both = [pair["chosen"], pair["rejected"]]
    return both if i % 2 == 0 else both[::-1]


def outcome(i: int, verification: Verification) -> str:
    if verification["status"] == "abstained":
        return "not judged"
    if verification["winner"] is None:
        return "a tie"
    return "right" if verification["winner"] == i % 2 else "wrong"


def judge(graph: Any, pairs: Sequence[dict[str, str]]) -> list[Verification]:
    inputs = [{"question": pair["prompt"], "candidates": candidates(i, pair)} for i, pair in enumerate(pairs)]
    return [out["verification"] for out in graph.batch(inputs, {"max_concurrency": 16})]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path, nargs="?", default=Path(__file__).with_name("pairs.jsonl"))
    parser.add_argument("--first", type=int, default=50, help="judge this many pairs of the file (default 50)")
    options = parser.parse_args()
    pairs = [json.loads(line) for line in options.file.read_text().strip().split("\n")[: options.first]]
    graph = build_graph(settings_from_environment().model_copy(update={"task": "pairwise"}))
    verifications = judge(graph, pairs)
    counts = Counter(outcome(i, verification) for i, verification in enumerate(verifications))
    tokens = sum(verification["usage"]["completion_tokens"] for verification in verifications)
    print(", ".join(f"{n} {name}" for name, n in counts.most_common()), f"({tokens} tokens)")


if __name__ == "__main__":
    main()
