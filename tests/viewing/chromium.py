"""Find Chromium. As a script, for `make test`, fails without one."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome")


def found() -> str | None:
    """The Chromium in EGRM_CHROMIUM, on PATH, or installed by Playwright."""
    from playwright.sync_api import sync_playwright

    named = os.environ.get("EGRM_CHROMIUM")
    if named:
        return named
    installed = next((path for path in map(shutil.which, NAMES) if path), None)
    if installed:
        return installed
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return own if Path(own).exists() else None


if __name__ == "__main__":
    sys.exit(found() is None)
