"""Secrets, and how they are kept out of logs, errors and dumps.

Secret("…")        a text that shows itself to nobody but `reveal()`
redact(text)       a text with everything that looks like a secret taken out
RedactingFilter    the same for log records
"""

from __future__ import annotations

import hmac
import logging
import re
from collections.abc import Iterable
from typing import Final

_HIDDEN: Final = "***"

# The names of query parameters, headers and JSON keys that carry secrets. Here and below repetitions
# are bounded, because a log line may be long and hostile.
_NAMES: Final = r"[\w-]{0,40}token|(?:api|access|secret)[_-]?key|x-amz-\w+|authorization|signature|policy"
_PATTERNS: Final = tuple(
    (re.compile(pattern, re.IGNORECASE), replacement)
    for pattern, replacement in (
        (r"\bhf_[A-Za-z0-9]{20,}", _HIDDEN),
        (r"\b(Bearer|Basic)\s+[^\s\"',;]+", rf"\1 {_HIDDEN}"),
        (rf"\b((?:{_NAMES})[\"']?\s*[=:]\s*[\"']?)(?!Bearer |Basic )[^\s\"',;&}}]+", rf"\1{_HIDDEN}"),
        (r"\b(key\W{1,4})[0-9a-f]{32}\b", rf"\1{_HIDDEN}"),
        (r"(https?://)[^\s/?#@\"'<>]{0,500}@", rf"\1{_HIDDEN}@"),
        (r"(https?://[^\s?#\"'<>]{0,2000})[?#][^\s\"'<>]*", rf"\1?{_HIDDEN}"),
    )
)


class Secret:
    """A text that does not show itself: not in repr, str, format, pickle or a traceback's locals.

    >>> token = Secret("hf_abcdefghijklmnop"); print(token, f"{token!r}", token.tail)
    *** *** ••••mnop
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself, for the one header it belongs into."""
        return self._text

    @property
    def tail(self) -> str:
        """Dots and the last four characters, for a person to recognize it; of a short one only dots."""
        return "••••" + (self._text[-4:] if len(self._text) >= 16 else "")

    def __repr__(self) -> str:
        return _HIDDEN

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(_HIDDEN, spec)

    def __reduce__(self) -> tuple[type[Secret], tuple[str]]:
        return (Secret, (_HIDDEN,))

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, _memo: object) -> Secret:
        return self

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._text))


def redact(text: str, secrets: Iterable[Secret] = ()) -> str:
    """A text without secrets: known ones, what looks like one, and the queries of web addresses.

    >>> redact("GET https://civitai.com/api/download/models/1?token=0123456789abcdef failed")
    'GET https://civitai.com/api/download/models/1?*** failed'
    """
    for secret in secrets:
        if value := secret.reveal():
            text = text.replace(value, _HIDDEN)
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


class RedactingFilter(logging.Filter):
    """Takes secrets out of log records, tracebacks included. Put it on handlers, not on loggers."""

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        super().__init__()
        self._secrets = tuple(secrets)

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record in place; it is always let through."""
        record.msg, record.args = redact(record.getMessage(), self._secrets), ()
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = redact(record.exc_text, self._secrets)
        if record.stack_info:
            record.stack_info = redact(record.stack_info, self._secrets)
        return True
