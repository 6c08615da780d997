"""ComfyUI-Custom-Scripts: a note, and the file's hash as it was when it was last asked about.

<stem>.txt       the user's note
<stem>.sha256    64 hex digits
"""

from __future__ import annotations

from ...decode import DecodeError, Value
from ...facts import Facts
from .fields import digest_in, read_text


def read_note(data: bytes, name: str) -> Facts | None:  # noqa: ARG001 - the signature that all dialects share
    """The note; None when it is blank.

    Raises:
        DecodeError: it is no text.
    """
    text = read_text(data)
    return Facts(notes=text) if text else None


def read_hash(data: bytes, name: str) -> Facts | None:  # noqa: ARG001 - as above
    """The hash, as that program or `sha256sum` writes it; None when the file is blank.

    Raises:
        DecodeError: it is no text, or holds no hash.
    """
    text = read_text(data)
    if text is None:
        return None
    digests = digest_in(Value(text.split()[0]), "sha256")
    if not digests:
        raise DecodeError("expected the 64 hex digits of a SHA-256")
    return Facts(digests=digests)
