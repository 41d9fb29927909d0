"""Resolve an installation of this package next to the software it works with, without installing anything.

    make resolve    (or: python -m tests.resolvable, with `uv` installed)

The result depends on the current package index, so this is a command and not a test. Prints the versions of each
combination, and exits with 1 if one cannot be installed.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
TOGETHER = ("vllm>=0.22", "verl", "trl", "hydra-core>=1.3")
# verl limits vLLM's version and vice versa, so the newest version of each is requested in turn.
NEWEST = ("vllm", "verl")
PRINTED = ("vllm", "verl", "trl", "hydra-core", "torch", "transformers", "antlr4-python3-runtime")


def resolved(wanted: tuple[str, ...]) -> dict[str, str]:
    """The version that each package gets.

    Raises:
        subprocess.CalledProcessError: They cannot be installed together.
    """
    requirements = "\n".join((*wanted, f"egrm-graph[agents,otel,scorer,stats,trace,train] @ {ROOT.as_uri()}"))
    run = subprocess.run(
        [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--no-header", "--no-annotate", "-"],
        input=requirements,
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(re.findall(r"^([\w.-]+)==(\S+)$", run.stdout, re.MULTILINE))


def newest(package: str) -> str:
    """The newest version of one package alone."""
    return resolved((package,))[package]


def main() -> None:
    for package in NEWEST:
        wanted = (*TOGETHER, f"{package}=={newest(package)}")
        try:
            versions = resolved(wanted)
        except subprocess.CalledProcessError as error:
            print(error.stderr, file=sys.stderr)
            raise SystemExit(f"egrm-graph cannot be installed together with {', '.join(wanted)}") from error
        print(f"egrm-graph[agents,otel,scorer,stats,trace,train] with {', '.join(wanted)}:")
        print("  " + ", ".join(f"{name} {versions[name]}" for name in PRINTED))


if __name__ == "__main__":
    main()
