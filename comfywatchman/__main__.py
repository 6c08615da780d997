"""`python -m comfywatchman` and the console script."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; answer `--version` before anything heavy is imported."""
    if sys.argv[1:] == ["--version"]:
        from . import __version__

        sys.stdout.write(f"comfywatchman {__version__}\n")
        return
    from .cli.main import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
