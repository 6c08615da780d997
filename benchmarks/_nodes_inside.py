"""Our loaders against ComfyUI's own, told by ComfyUI's interpreter.

    cd COMFYUI; python …/_nodes_inside.py BASE PACK ROUNDS

The last line of the output is JSON: a list of [ours, other] in seconds, one pair a round, each the time to
load the tiny SD1.5 checkpoint and to apply its LoRA. Who goes first changes from round to round.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import sys
import time
from functools import cache
from pathlib import Path
from typing import Any

CHECKPOINT = "tiny_sd15.ckpt"
LORA = {"lora_name": "tiny_lora_sd15.safetensors", "strength_model": 0.7, "strength_clip": 0.4}


def main(base: str, pack: str, rounds: int) -> None:
    """Measure in a ComfyUI that has loaded everything of its own and our pack."""
    sys.path[0] = str(Path.cwd())  # ComfyUI's folder in place of this script's
    sys.argv = ["main.py", "--cpu", "--base-directory", base]
    importlib.import_module("comfy.options").enable_args_parsing()
    for name in ("utils.extra_config", "execution", "server", "nodes"):
        importlib.import_module(name)
    loop = asyncio.new_event_loop()
    sys.modules["server"].PromptServer(loop)
    assert loop.run_until_complete(sys.modules["nodes"].load_custom_node(pack))
    with importlib.import_module("torch").inference_mode():
        ours()  # what is imported late is imported now
        other()
        pairs = [measure(first=(ours, other)[n % 2]) for n in range(rounds)]
    print(json.dumps(pairs))


def measure(first: Any) -> tuple[float, float]:
    """One round: seconds of ours, of the other."""
    took = {}
    for load in (first, other if first is ours else ours):
        gc.collect()
        begun = time.perf_counter()
        loaded = load()
        took[load] = time.perf_counter() - begun
        del loaded
    return took[ours], took[other]


def ours() -> Any:
    """The two nodes of this pack, with nothing left from before."""
    sys.modules[ready("LoRALoader").__module__.replace(".loaders", ".weights")].living.cache_clear()
    loaded = ready("CheckpointLoader").execute(ckpt_name=CHECKPOINT).result
    return ready("LoRALoader").execute(model=loaded[0], clip=loaded[1], **LORA).result


@cache
def ready(name: str) -> Any:
    """A node's class as ComfyUI prepares it for a run."""
    return sys.modules["nodes"].NODE_CLASS_MAPPINGS[f"ComfyWatchman{name}"].PREPARE_CLASS_CLONE(None)


def other() -> Any:
    """CheckpointLoaderSimple and LoraLoader."""
    nodes = sys.modules["nodes"]
    model, clip, _ = nodes.CheckpointLoaderSimple().load_checkpoint(CHECKPOINT)
    return nodes.LoraLoader().load_lora(model, clip, **LORA)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
