"""The test server in a process of its own with big models, so that it takes nothing of ours but the line.

python -m routes.hubprocess COUNT MIB     one line of JSON with the environment, then until stdin closes
"""

from __future__ import annotations

import json
import sys

from fakehub.server import FakeHub

from comfywatchman.demo import models


def main() -> None:
    """Stock it, say where it is, and serve."""
    count, mib = map(int, sys.argv[1:])
    with FakeHub() as hub:
        for number in range(count):
            data = models.safetensors({"w": (mib * 512, 1024)}, seed=str(number))
            hub.add_model(f"big{number}", {f"big{number}.safetensors": data})
        sys.stdout.write(json.dumps({**hub.environment}) + "\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
