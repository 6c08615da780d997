r"""The one gate for names from outside: what may become a path, and what a terminal may be shown.

    "sdxl\ink.safetensors"  ──safe_path──►  "sdxl/ink.safetensors"
    "../../etc/passwd", "C:x", "\\host\share", "con.txt", "a:b"  ──►  UnsafePath

A name is judged under POSIX and Windows rules on every system, so a workflow, a models folder or a
backup can be carried from one to the other, and so no name means something else elsewhere.
Windows rules: https://learn.microsoft.com/windows/win32/fileio/naming-a-file
"""

from __future__ import annotations

import unicodedata
from typing import Final

from .errors import UnsafePath

MAX_NAME: Final = 200  # UTF-8 bytes a component; leaves room for the endings of partials and sidecars
MAX_PATH: Final = 800  # UTF-8 bytes a relative path
MAX_DEPTH: Final = 16

_FORBIDDEN: Final = frozenset('<>:"/\\|?*')
# Controls, format characters (bidi, zero width), surrogates, unassigned, line and paragraph separators.
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Cn", "Zl", "Zp"})
_RESERVED: Final = frozenset(
    {"con", "prn", "aux", "nul", "conin$", "conout$", "clock$"}
    | {f"{port}{digit}" for port in ("com", "lpt") for digit in "0123456789¹²³"}
)


def safe_path(text: str) -> str:
    r"""The relative POSIX path that a name from outside stands for.

    Both `/` and `\` separate. Every component is checked; the text is brought to Unicode form NFC.

    >>> safe_path("sdxl\\style/ink.safetensors")
    'sdxl/style/ink.safetensors'

    Raises:
        UnsafePath: it is empty, absolute, climbs, is too long or too deep, or has a component that is
            not a plain file name on every system.
    """
    parts = text.replace("\\", "/").split("/")
    if len(parts) > MAX_DEPTH:
        raise UnsafePath(f"path {_quote(text)}: {len(parts)} levels, at most {MAX_DEPTH} are taken")
    path = "/".join(safe_name(part) for part in parts)
    if len(path.encode()) > MAX_PATH:
        raise UnsafePath(f"path {_quote(text)}: longer than {MAX_PATH} bytes")
    return path


def safe_name(text: str) -> str:
    """The file name that one component from outside stands for, in Unicode form NFC.

    >>> safe_name("ink v2 (fp16).safetensors")
    'ink v2 (fp16).safetensors'

    Raises:
        UnsafePath: it is not a plain file name on every system.
    """
    name = unicodedata.normalize("NFC", text)
    fault = _fault(name)
    if fault:
        raise UnsafePath(f"name {_quote(text)}: {fault}")
    return name


def _fault(name: str) -> str | None:
    """What keeps a name from being a plain file name."""
    if name in {"", ".", ".."}:
        return "a part of it is empty, . or .., or it is absolute"
    bad = next((c for c in name if c in _FORBIDDEN or unicodedata.category(c) in _INVISIBLE), None)
    if bad is not None:
        return f"the character U+{ord(bad):04X} is not allowed in file names"
    if name[-1] in ". " or name[0] == " ":
        return "it starts with a space or ends in a dot or space, which Windows drops"
    if name.split(".", 1)[0].rstrip(" ").casefold() in _RESERVED:
        return "Windows reserves it for a device"
    return f"it is longer than {MAX_NAME} bytes" if len(name.encode()) > MAX_NAME else None


def second_name(name: str, tag: str) -> str:
    """The name a file gets when another file already has its own; long stems are cut to fit.

    >>> second_name("ink.safetensors", "civitai-123")
    'ink (civitai-123).safetensors'

    Raises:
        UnsafePath: name or tag are not safe, or no stem would be left.
    """
    stem, dot, ending = name.rpartition(".")
    if not stem:
        stem, dot, ending = name, "", ""
    rest = f" ({tag}){dot}{ending}"
    kept = stem.encode()[: max(0, MAX_NAME - len(rest.encode()))].decode(errors="ignore").rstrip(" .")
    if not kept:
        raise UnsafePath(f"name {_quote(name)}: no room for the mark ({_quote(tag)})")
    return safe_name(kept + rest)


def fold(text: str) -> str:
    """A key that is equal for names which some file system takes for the same (case, Unicode form).

    >>> fold("Ink.SAFETENSORS") == fold("ink.safetensors"), fold("\u212a") == fold("k")
    (True, True)
    """
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).casefold())


def printable(text: str) -> str:
    r"""Foreign text that cannot steer a terminal: no controls but newline and tab, nothing invisible.

    >>> printable("\x1b[31mred\u202e \u200bname\n")
    '[31mred name\n'
    """
    return "".join(
        "\ufffd" if "\ud800" <= char <= "\udfff" else char
        for char in text
        if char in "\n\t" or unicodedata.category(char) not in {"Cc", "Cf", "Zl", "Zp"}
    )


def _quote(text: str) -> str:
    """Foreign text as it may stand in a message."""
    return repr(printable(text[:120]))
