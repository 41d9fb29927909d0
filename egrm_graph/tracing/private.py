"""Files and folders that only their owner can read."""

from __future__ import annotations

import stat
from pathlib import Path

OTHERS = stat.S_IRWXG | stat.S_IRWXO


def make_file(path: Path) -> None:
    """Sees to it that the file is there and only its owner's, before anything is in it.

    A file that is there is not opened: closing it would let go of the locks that a database of this process has on it.
    """
    make_folder(path.parent)
    try:
        path.touch(0o600, exist_ok=False)
    except FileExistsError:
        narrow(path)


def make_folder(path: Path) -> None:
    """Makes the folders that are missing, for their owner alone. Those that are there are left as they are."""
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(0o700, exist_ok=True)


def narrow(path: Path) -> None:
    """Takes the rights of everybody but the owner away."""
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & OTHERS:
        path.chmod(mode & ~OTHERS)
