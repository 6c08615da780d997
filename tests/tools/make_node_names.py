"""Makes the English words of the nodes, from which translations begin, out of what the nodes say themselves.

    python -m tests.tools.make_node_names http://127.0.0.1:8188     # a ComfyUI that has this pack

Form: https://docs.comfy.org/custom-nodes/i18n. A test compares the product with a running ComfyUI.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests

NAMES = Path(__file__).resolve().parents[2] / "locales" / "en" / "nodeDefs.json"
PREFIX = "ComfyWatchman"


def make_node_names(told: Mapping[str, Any]) -> str:
    """The text of nodeDefs.json, from what /object_info tells of all nodes."""
    words = {name: words_of(told[name]) for name in told if name.startswith(PREFIX)}
    return json.dumps(words, indent=2, ensure_ascii=False) + "\n"


def words_of(info: Mapping[str, Any]) -> dict[str, Any]:
    """One node's entry."""
    inputs = inputs_of(info)
    outputs = zip(info["output_name"], info["output_tooltips"], strict=True)
    return {
        "display_name": literal(info["display_name"]),
        "description": literal(info["description"]),
        "inputs": {
            name: {"name": name, "tooltip": literal(spec[1]["tooltip"])} for name, spec in inputs.items()
        },
        "outputs": {
            str(number): {"name": name, "tooltip": literal(tooltip)} if tooltip else {"name": name}
            for number, (name, tooltip) in enumerate(outputs)
        },
    }


def literal(text: str) -> str:
    """A text in which nothing means anything to vue-i18n, where a bare `|` parts a singular from a plural.

    Source: https://vue-i18n.intlify.dev/guide/essentials/syntax#special-characters
    """
    return re.sub(r"[{}@|]", lambda found: f"{{'{found[0]}'}}", text)


def inputs_of(info: Mapping[str, Any]) -> dict[str, Any]:
    """A node's inputs, those that must be given first."""
    return {**info["input"].get("required", {}), **info["input"].get("optional", {})}


if __name__ == "__main__":
    answer = requests.get(f"{sys.argv[1]}/object_info", timeout=60)
    NAMES.parent.mkdir(parents=True, exist_ok=True)
    NAMES.write_text(make_node_names(answer.json()), encoding="utf-8", newline="\n")
