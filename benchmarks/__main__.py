"""`python -m benchmarks [NAME…]`: one JSON object a line, medians of paired runs in one call.

Each module beside this one has `run()`, which yields objects with name, ours, other, limit, ratio
(ours/other), unit and n. They measure; they are not tests.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import sys
from pathlib import Path


def main(names: list[str]) -> int:
    """Run the named benchmarks, or all; 1 when a ratio is over its limit."""
    modules = sorted(m.name for m in pkgutil.iter_modules([str(Path(__file__).parent)]) if m.name[0] != "_")
    unknown = set(names) - set(modules)
    if unknown:
        sys.stderr.write(f"no such benchmark: {', '.join(sorted(unknown))}; there are {', '.join(modules)}\n")
        return 2
    over = False
    for name in names or modules:
        for row in importlib.import_module(f"{__package__}.{name}").run():
            over |= None not in (row["limit"], row["ratio"]) and row["ratio"] > row["limit"]
            sys.stdout.write(json.dumps(row) + "\n")
            sys.stdout.flush()
    return int(over)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
