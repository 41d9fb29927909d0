"""`egrm` and `python -m egrm_graph`: the command line, or the extra to install where its packages are missing."""

import sys

from egrm_graph.errors import MissingExtra
from egrm_graph.runtime.extras import require_extra

CANNOT = 2
"""The exit status when nothing can be done."""


def main() -> None:
    """Run the command line."""
    try:
        require_extra("cli", "The command line")
    except MissingExtra as error:
        print(f"egrm: {error}", file=sys.stderr)
        sys.exit(CANNOT)
    from egrm_graph.cli import main as run

    run()


if __name__ == "__main__":
    main()
