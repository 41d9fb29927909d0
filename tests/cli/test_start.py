"""The command line starts fast: its help loads no heavy package."""

import subprocess
import sys

import pytest

import egrm_graph

HEAVY = {
    "torch",
    "transformers",
    "vllm",
    "langgraph",
    "langchain_core",
    "math_verify",
    "matplotlib",
    "aiohttp",
    "sqlalchemy",
}
CODE = """
import sys
sys.argv = ["egrm", *{arguments!r}]
from egrm_graph.cli import main
try:
    main()
finally:
    print(sorted({heavy!r} & set(sys.modules)), file=sys.stderr)
"""


def started(*arguments: str) -> subprocess.CompletedProcess[str]:
    code = CODE.format(arguments=arguments, heavy=HEAVY)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["ask", "-h"],
        ["verify", "--help"],
        ["demo", "--help"],
        ["bench", "--help"],
        ["attack", "--help"],
        ["ask", "--help-all"],
        ["rollouts", "--help"],
        ["serve-model", "--help"],
        ["train", "scorer", "--help"],
        ["trace", "list", "--help"],
    ],
    ids=" ".join,
)
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    run = started(*arguments)
    assert (run.returncode, run.stderr.strip()) == (0, "[]")
    assert "Usage: egrm" in run.stdout


def test_it_prints_its_version() -> None:
    run = started("--version")
    assert (run.returncode, run.stdout, run.stderr.strip()) == (0, f"egrm {egrm_graph.__version__}\n", "[]")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ask", "1+1", "--samples", "0"], "egrm: samples=0: Input should be greater than or equal to 1"),
        (["verify", "nowhere.jsonl", "--resume"], "egrm: --resume needs --output FILE"),
        (["verify", "nowhere.jsonl"], "nowhere.jsonl"),
        (["ask", "1+1", "--endpoint", "chat"], "add --engine vllm"),
        (["train", "scorer", "nowhere.jsonl", "--base", ".", "--output", "."], "nowhere.jsonl"),
    ],
)
def test_an_error_is_one_line(arguments: list[str], message: str) -> None:
    run = started(*arguments)
    lines = run.stderr.strip().splitlines()[:-1]  # the last line is from the test
    assert (run.returncode, run.stdout, len(lines)) == (2, "", 1)
    assert message in lines[0]


@pytest.mark.parametrize("arguments", [["--what"], ["wat"], ["ask"], ["verify", "f", "--concurrency", "0"]])
def test_wrong_usage_exits_with_2(arguments: list[str]) -> None:
    assert started(*arguments).returncode == 2
