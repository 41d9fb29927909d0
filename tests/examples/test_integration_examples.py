"""The examples that sit in others' programs run, and do what they say."""

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.integrations.judges import judging, summing

EXAMPLES = Path(__file__).parents[2] / "examples"
PAIRS = [json.loads(line) for line in (EXAMPLES / "pairs.jsonl").read_text().splitlines()[:10]]


def printed(name: str, *arguments: str) -> str:
    command = [sys.executable, "-W", "error", str(EXAMPLES / f"{name}.py"), *arguments]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    return run.stdout


def loaded(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["retrieval", "judge_pairs", "grpo"])
def test_an_example_has_at_most_sixty_lines(name: str) -> None:
    assert len((EXAMPLES / f"{name}.py").read_text().splitlines()) <= 60


@pytest.mark.slow
def test_the_retrieval_keeps_the_draft_that_is_right() -> None:
    assert printed("retrieval") == "87 cents (of the drafts 77 and 87)\n"


def test_the_judge_of_pairs_finds_the_better_one_in_either_place() -> None:
    example = loaded("judge_pairs")
    right = {pair["chosen"] for pair in PAIRS}
    verifications = example.judge(judging("pairwise", lambda text: text in right), PAIRS)
    assert [each["winner"] for each in verifications] == [0, 1] * 5
    assert [example.outcome(i, each) for i, each in enumerate(verifications)] == ["right"] * 10


def test_the_judge_of_pairs_counts_what_it_could_not_judge_apart() -> None:
    example = loaded("judge_pairs")
    lost, equal = PAIRS[0], {**PAIRS[1], "rejected": PAIRS[1]["chosen"]}
    wrong = judging("pairwise", lambda text: text == PAIRS[2]["rejected"], lost=lost["chosen"])
    verifications = example.judge(wrong, [lost, equal, PAIRS[2]])
    assert [example.outcome(i, each) for i, each in enumerate(verifications)] == ["not judged", "a tie", "wrong"]


@pytest.mark.slow
def test_the_judge_of_pairs_runs_with_the_bundled_model() -> None:
    counts = re.findall(r"(\d+) (?:right|wrong|a tie|not judged)", printed("judge_pairs", "--first", "4"))
    assert sum(map(int, counts)) == 4


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.filterwarnings("ignore:.*gradient_checkpointing:FutureWarning")  # within transformers
def test_the_grpo_run_trains_on_the_graphs_rewards(tmp_path: Path) -> None:
    steps = loaded("grpo").train(summing(), tmp_path, steps=4)
    assert len(steps) == 4
    judged = [step for step in steps if step["egrm/unrewarded_share"] < 1]
    assert judged
    for step in judged:
        assert 0 < step["reward"] <= 1
    assert any(step["grad_norm"] > 0 for step in steps)
