"""Measure what an installation of this package takes: megabytes of site-packages and seconds.

    python -m tests.install_size                 # pip install .
    python -m tests.install_size local           # pip install '.[local]'
    python -m tests.install_size cli trace --largest 10

Makes a virtual environment in a temporary folder, installs there with pip and constraints.txt, and deletes it. The size
is what the installation adds to a new environment, compiled bytecode included. The time includes downloads.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
import venv
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parent.parent
MB = 1e6


@dataclass(frozen=True)
class Installation:
    """What one installation took."""

    seconds: float
    sizes_mb: dict[str, float]
    """Megabytes of each folder or file that it added to site-packages."""

    @property
    def total_mb(self) -> float:
        return sum(self.sizes_mb.values())


def install(tree: Path, extras: list[str], first: list[str], folder: Path) -> Installation:
    """Install the package in `tree` with these extras into a new environment, after the packages in `first`.

    Raises:
        subprocess.CalledProcessError: pip failed.
    """
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    site = Path(
        subprocess.check_output(
            [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], text=True
        ).strip()
    )
    before = _sizes_mb(site)
    target = f"{tree}[{','.join(extras)}]" if extras else str(tree)
    pip: list[str | Path] = [python, "-m", "pip", "install", "--quiet", "--constraint", tree / "constraints.txt"]
    started = time.perf_counter()
    if first:
        subprocess.run([*pip, *first], check=True)
    subprocess.run([*pip, target], check=True)
    seconds = time.perf_counter() - started
    after = _sizes_mb(site)
    return Installation(seconds, {name: size - before.get(name, 0.0) for name, size in after.items()})


def _sizes_mb(site: Path) -> dict[str, float]:
    return {
        entry.name: sum(
            file.stat().st_size for file in (entry.rglob("*") if entry.is_dir() else [entry]) if file.is_file()
        )
        / MB
        for entry in site.iterdir()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("extras", nargs="*", help="extras to install, such as local")
    parser.add_argument("--tree", type=Path, default=ROOT, help="the source to install (default: this one)")
    parser.add_argument(
        "--first", action="append", default=[], metavar="PACKAGE", help="install this before the package"
    )
    parser.add_argument("--largest", type=int, default=0, metavar="N", help="print the N largest folders")
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        found = install(options.tree.resolve(), options.extras, options.first, Path(folder))
    print(f"{found.total_mb:.0f} MB, {found.seconds:.0f} s")
    for name, size_mb in sorted(found.sizes_mb.items(), key=lambda item: -item[1])[: options.largest]:
        print(f"{size_mb:8.1f} MB  {name}")


if __name__ == "__main__":
    main()
