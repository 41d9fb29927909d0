"""Files and folders that only their owner can read."""

from __future__ import annotations

import stat
from pathlib import Path

OTHERS = stat.S_IRWXG | stat.S_IRWXO


def make_file(path: Path) -> None:
    """Create an empty file that only its owner can read, or restrict an existing one.

    An existing file is not opened: closing it would release the locks that a database of this process holds on it.
    """
    make_folder(path.parent)
    try:
        path.touch(0o600, exist_ok=False)
    except FileExistsError:
        narrow(path)


def make_folder(path: Path) -> None:
    """Create missing folders for their owner alone. Existing folders keep their permissions."""
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(0o700, exist_ok=True)


def narrow(path: Path) -> None:
    """Remove the permissions of everyone except the owner."""
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & OTHERS:
        path.chmod(mode & ~OTHERS)
