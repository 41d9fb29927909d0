"""Measure what a vLLM server on a CPU reads from its prefix cache: `python examples/studies/prefix_cache.py`.

For each size of the cache's blocks, a fresh server answers the same questions, most of which need a second wave of fast
answers and then paths. vLLM's own size on a CPU is 128 tokens; `egrm serve-model`
sets the smaller one. The share is of all prompt tokens. `--model` serves another model than the bundled one.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
from pathlib import Path
from typing import Any

from rich.console import Console

from egrm_graph.errors import EgrmError
from egrm_graph.graph import build_graph
from egrm_graph.runtime.bundled_models import bundled
from egrm_graph.serving.vllm_flags import CPU_CACHE_BLOCK_TOKENS
from egrm_graph.serving.vllm_server import start
from egrm_graph.settings import BUNDLED_MODEL, Settings
from egrm_graph.terminal.tables import Table, standard_output
from egrm_graph.verification import Usage

START_S = 300.0
BLOCKS = (128, CPU_CACHE_BLOCK_TOKENS)
SUM = "{}-{}+{}-{}+{}-{}+{}-{}"
WORD_PROBLEM = (
    "A farmer has {} crates with {} apples each. He sells {} of the apples at the market, finds {} more in his barn, "
    "and gives {} to each of his {} neighbors. Then he buys {} crates with {} apples each. How many apples has he now?"
)


def questions(form: str, n: int) -> list[str]:
    draw = random.Random(0)
    return [form.format(*(draw.randint(100, 999) for _ in range(8))) for _ in range(n)]


async def usages(settings: Settings, asked: list[str]) -> list[Usage]:
    """The usage of each question, one after the other."""
    graph = build_graph(settings)
    return [(await graph.ainvoke({"question": question}))["verification"]["usage"] for question in asked]


def measure(python: str, model: str, settings: Settings, asked: list[str], block: int) -> list[Usage]:
    name = Path(model).name
    flags = ["--block-size", str(block)]
    with start(model, name=name, port=0, python=python, extra_args=flags) as server:
        server.wait(START_S)
        served: dict[str, Any] = {"engine": "vllm", "model": name, "base_url": (server.base_url,)}
        return asyncio.run(usages(settings.model_copy(update=served), asked))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[2])
    parser.add_argument("--vllm-python", default=sys.executable, help="the interpreter that has vLLM (default: this)")
    parser.add_argument("--model", help="a model's folder or its name on the hub (default: the bundled model)")
    parser.add_argument("--questions", type=int, default=20, help="number of questions (default 20)")
    parser.add_argument("--path-tokens", type=int, default=256, help="the most tokens of a path (default 256)")
    options = parser.parse_args()
    out, err = standard_output(), Console(stderr=True)
    asked = questions(WORD_PROBLEM if options.model else SUM, options.questions)
    # At this temperature and threshold, most questions need a second wave, and then paths. The bundled model's own task
    # would refuse sums that are as long as a block.
    settings = Settings(
        task="answer",
        prompts="auto" if options.model else "tiny",
        scorer=None,
        fast_temperature=2.0,
        threshold=0.5,
        path_max_tokens=options.path_tokens,
    )
    model = options.model or str(bundled(BUNDLED_MODEL))
    made = Table("block", "prompt tokens", "cached", "share", title=f"{len(asked)} questions, {Path(model).name}")
    try:
        for block in BLOCKS:
            with err.status(f"vLLM serves with blocks of {block}"):
                found = measure(options.vllm_python, model, settings, asked, block)
            prompt, cached = (sum(usage[key] for usage in found) for key in ("prompt_tokens", "cached_tokens"))
            made.add_row(f"{block} tokens", f"{prompt:,}", f"{cached:,}", f"{cached / prompt:.0%}")
    except EgrmError as error:
        sys.exit(f"error: {error}")
    out.print(made)


if __name__ == "__main__":
    main()
