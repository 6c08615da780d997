"""ComfyUI-Model-Manager: the model's description.

<stem>.md    Markdown, after a front matter between two lines `---`, which is not read
"""

from __future__ import annotations

import re
from typing import Final

from ...facts import Facts
from .fields import read_text

_FRONT_MATTER: Final = re.compile(r"---\r?\n.*?^---\s*$", re.DOTALL | re.MULTILINE)


def read(data: bytes, name: str) -> Facts | None:  # noqa: ARG001 - the signature that all dialects share
    """The description; None when there is none.

    Raises:
        DecodeError: it is no text.
    """
    text = read_text(data) or ""
    matter = _FRONT_MATTER.match(text)
    body = text[matter.end() :].strip() if matter else text
    return Facts(description=body) if body else None
