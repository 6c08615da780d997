"""The second host: holds the bytes, and gives them to whoever brings a signed address.

CivitAI redirects to object storage (R2, Backblaze), Hugging Face to its CDN. Both refuse a request
that still carries the hub's token, and both forget an address after a while:

    Authorization present   400  XML InvalidRequest      (recorded from R2)
    unknown or expired      403  XML AccessDenied
    Range                   206, 416 past the end
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

from .shelf import Blob
from .wire import Answer, Request, Route


@dataclass(frozen=True, slots=True)
class _Grant:
    blob: Blob
    disposition: str
    etag: str


@dataclass(slots=True)
class Delivery:
    """Signs addresses and serves what they stand for. `url` is set once the origin has its port."""

    url: str = ""
    rate: int | None = None
    _grants: dict[str, _Grant] = field(default_factory=dict)

    def sign_storage(self, blob: Blob, name: str) -> str:
        """An address as CivitAI's object storage has them."""
        grant = _Grant(blob, f'attachment; filename="{_printable(name)}"', f'"{blob.git_oid[:32]}"')
        query = {
            "X-Amz-Expires": "86400",
            "response-content-disposition": grant.disposition,
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-SignedHeaders": "host",
            "X-Amz-Signature": self._remember(grant),
        }
        return f"{self.url}/1047/model/{quote(name)}?{urlencode(query, quote_via=quote)}"

    def sign_cdn(self, blob: Blob, name: str) -> str:
        """An address as Hugging Face's CDN has them; its ETag is the Xet hash, never the SHA-256."""
        grant = _Grant(blob, f"inline; filename*=UTF-8''{quote(name)}", f'"{blob.xet_hash}"')
        query = {
            "X-Xet-Cas-Uid": "public",
            "response-content-disposition": grant.disposition,
            "user_id": "public",
            "Signature": self._remember(grant),
        }
        return f"{self.url}/xet-bridge-us/{blob.xet_hash[:24]}/{blob.xet_hash}?{urlencode(query)}"

    def expire(self) -> None:
        """Forget every address signed so far."""
        self._grants.clear()

    def routes(self) -> tuple[Route, ...]:
        """The one route: any path, known by its signature."""
        return (Route("bytes", "GET", ".*", self._bytes),)

    def _remember(self, grant: _Grant) -> str:
        signature = secrets.token_hex(32)
        self._grants[signature] = grant
        return signature

    def _bytes(self, request: Request) -> Answer:
        if request.headers.get("Authorization") is not None:
            return _xml(400, "InvalidRequest", "Missing x-amz-content-sha256")
        signature = request.first("X-Amz-Signature") or request.first("Signature") or ""
        grant = self._grants.get(signature)
        if grant is None:
            return _xml(403, "AccessDenied", "Request has expired")
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Disposition": grant.disposition,
            "ETag": grant.etag,
            "Accept-Ranges": "bytes",
        }
        whole = Answer(headers=headers, body=grant.blob.data, rate=self.rate)
        return ranged(request, whole)


def ranged(request: Request, whole: Answer) -> Answer:
    """The part of an answer a Range header asks for; the whole without one or when If-Range disagrees."""
    found = re.fullmatch(r"bytes=(\d*)-(\d*)", request.headers.get("Range", ""))
    if_range = request.headers.get("If-Range")
    if found is None or not any(found.groups()) or if_range not in (None, whole.headers.get("ETag")):
        return whole
    size = len(whole.body)
    first, last = found.groups()
    start = int(first) if first else max(0, size - int(last))
    stop = min(size, int(last) + 1) if first and last else size
    if start >= stop:
        return Answer(status=416, headers={"Content-Range": f"bytes */{size}"})
    headers = {**whole.headers, "Content-Range": f"bytes {start}-{stop - 1}/{size}"}
    return Answer(status=206, headers=headers, body=whole.body[start:stop], rate=whole.rate)


def _printable(name: str) -> str:
    """The name as it may stand in a header."""
    return re.sub(r'[\x00-\x1f\x7f"]', "_", name)


def _xml(status: int, code: str, message: str) -> Answer:
    text = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>{message}</Message></Error>'
    return Answer(status=status, headers={"Content-Type": "application/xml"}, body=text.encode())
