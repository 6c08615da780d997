"""What packs add to ComfyUI's start, told by ComfyUI's interpreter once ComfyUI's own modules are loaded.

    cd COMFYUI; python …/import_cost.py BASE PACK…

The last line of the output is JSON, for each pack: "seconds" of CPU time (the least of several rounds, each
of which imports the pack anew), "modules" (how many of its own), "added" (packages that came with it, neither
its own nor of the standard library), "held" (packages that one of its modules has imported at its top).
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

ROUNDS = 5

# What ComfyUI has loaded before packs, in the order of its main.py; the last one comes with the first pack.
OWN_MODULES = ("utils.extra_config", "execution", "server", "nodes", "comfy_config.config_parser")


def main(base: str, packs: list[str]) -> None:
    """Measure these packs in a ComfyUI that has loaded everything of its own."""
    sys.path[0] = str(Path.cwd())  # ComfyUI's folder in place of this script's
    sys.argv = ["main.py", "--cpu", "--base-directory", base]
    importlib.import_module("comfy.options").enable_args_parsing()
    for name in OWN_MODULES:
        importlib.import_module(name)
    loop = asyncio.new_event_loop()
    sys.modules["server"].PromptServer(loop)

    def load(pack: Path) -> None:
        assert loop.run_until_complete(sys.modules["nodes"].load_custom_node(str(pack)))

    print(json.dumps({pack: measure(Path(pack), load) for pack in packs}))  # noqa: T201  the answer


def measure(pack: Path, load: Callable[[Path], None]) -> dict[str, object]:
    """Load one pack several times as ComfyUI does, and look at what came with it."""
    before = set(sys.modules)
    seconds = []
    for _ in range(ROUNDS):
        for name in set(sys.modules) - before:
            del sys.modules[name]
        begun = time.process_time()
        load(pack)
        seconds.append(time.process_time() - begun)
    new = {name: module for name, module in sys.modules.items() if name not in before}
    own = {name: module for name, module in new.items() if is_below(module, pack)}
    return {
        "seconds": min(seconds),
        "modules": len(own),
        "added": sorted({package(name) for name in new.keys() - own.keys() if is_foreign(name)}),
        "held": sorted({one for module in own.values() for one in held_by(module, pack)}),
    }


def is_below(module: ModuleType, pack: Path) -> bool:
    """Whether a module was read from the pack."""
    file = getattr(module, "__file__", None)
    return file is not None and Path(file).is_relative_to(pack)


def package(name: str) -> str:
    """The package that a module belongs to."""
    return name.partition(".")[0]


def is_foreign(name: str) -> bool:
    """Whether a module is no part of Python."""
    return package(name) not in sys.stdlib_module_names


def held_by(module: ModuleType, pack: Path) -> set[str]:
    """Packages among a module's names, the pack itself left out."""
    held = (value for value in vars(module).values() if isinstance(value, ModuleType))
    return {package(one.__name__) for one in held if is_foreign(one.__name__) and not is_below(one, pack)}


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
