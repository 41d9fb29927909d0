"""The Python of the pages about integrations runs unchanged, and prints what the pages say."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

GUIDES = Path(__file__).parent.parent / "docs" / "guides"
NEEDS_A_SERVER = "create_agent("


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("page", "n_snippets", "n_outputs"), [("agents", 2, 1), ("rewards", 3, 0), ("train-generator", 1, 0)]
)
def test_the_snippets_run_and_print_what_the_page_says(
    tmp_path: Path, page: str, n_snippets: int, n_outputs: int
) -> None:
    text = (GUIDES / f"{page}.md").read_text()
    found = re.findall(r"(?s)```python\n(.*?)```", text)
    snippets = [snippet for snippet in found if NEEDS_A_SERVER not in snippet]
    printed = re.findall(r"(?s)```text\n(.*?)```", text)
    assert (len(snippets), len(printed)) == (n_snippets, n_outputs)
    command = [sys.executable, "-W", "error", "-c", "\n".join(snippets)]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr, run.stdout) == (0, "", "".join(printed))
