"""Publish saved draws without the questions: `python examples/studies/publish_draws.py FOLDER OUTPUT`.

FOLDER is what `egrm bench --draws FOLDER` saved. OUTPUT answers the same requests, but has a hash in place of each
prompt, so it can be shared where the questions cannot. Whoever has the questions can then print the same tables without
the model, with `--draws OUTPUT --draws-only`.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from egrm_graph.clients.draws_folder import ABOUT, DRAWS, without_prompt


def publish(folder: Path, output: Path) -> int:
    """Write the draws of the folder to the new folder `output`, and return how many there are."""
    output.mkdir(parents=True)
    shutil.copy(folder / ABOUT, output / ABOUT)
    n = 0
    with (folder / DRAWS).open("rb") as draws, (output / DRAWS).open("wb") as published:
        for line in draws:
            if line.endswith(b"\n"):  # its writer may have been killed
                published.write(without_prompt(line))
                n += 1
    return n


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[2])
    parser.add_argument("folder", type=Path, help="the folder with saved draws")
    parser.add_argument("output", type=Path, help="the folder to write; must not exist")
    options = parser.parse_args()
    if options.output.exists():
        parser.error(f"{options.output} exists; name another folder")
    if not (options.folder / DRAWS).is_file():
        parser.error(f"{options.folder} has no {DRAWS}; name a folder that `egrm bench --draws` wrote")
    print(f"{publish(options.folder, options.output):,} draws in {options.output}")


if __name__ == "__main__":
    main()
