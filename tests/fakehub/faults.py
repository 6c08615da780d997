"""Everything that goes wrong between a client and a hub, as functions from an answer to a worse one.

hub.bend("delivery.bytes", cut(1000), times=1)
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from comfywatchman.demo.wire import Answer, Request, html_answer, json_answer

Fault = Callable[[Request, Callable[[], Answer]], Answer]


def gives(answer: Answer) -> Fault:
    """This answer in place of the real one."""
    return lambda _request, _handle: answer


def _on_body(change: Callable[[Answer], Answer]) -> Fault:
    """A change to answers that carry what was asked for; refusals and redirects stay."""

    def bent(_request: Request, handle: Callable[[], Answer]) -> Answer:
        answer = handle()
        return change(answer) if answer.status in (200, 206) else answer

    return bent


# ── a hub that does not answer ──


def dropped() -> Fault:
    """The connection is closed without a word."""
    return gives(Answer(dropped=True))


def status(code: int, error: str = "Something went wrong", **headers: str) -> Fault:
    """A plain JSON error; `_` in a header's name stands for `-`."""
    return gives(json_answer({"error": error}, code).with_headers(**headers))


def cloudflare(code: int) -> Fault:
    """The edge's HTML page: 403 for bots, 429, 520 to 524; never a Retry-After."""
    return gives(html_answer("Just a moment...", code, {"Server": "cloudflare"}))


def overloaded() -> Fault:
    """CivitAI's search under load."""
    text = "Model search is temporarily overloaded — please retry."
    return status(503, text, Retry_After="2", Cache_Control="no-store")


def quota() -> Fault:
    """CivitAI's limit on downloads."""
    text = "We've noticed an unusual amount of downloading from your account."
    return status(429, f"{text} Contact support@civitai.com or come back later.")


def rate_limited(*, reset: int = 1, kind: str = "resolvers") -> Fault:
    """Hugging Face's 429, told in RateLimit alone."""
    headers = {
        "RateLimit": f'"{kind}";r=0;t={reset}',
        "RateLimit-Policy": f'"fixed window";"{kind}";q=3000;w=300',
    }
    return gives(json_answer({"error": "We had to rate limit your IP"}, 429, headers))


def login_page() -> Fault:
    """A page with status 200 where a model was expected."""
    return gives(html_answer("Log in to Civitai"))


# ── answers that are not what they seem ──


def not_json() -> Fault:
    """A JSON answer cut in its middle."""
    return _on_body(lambda answer: replace(answer, body=answer.body[: len(answer.body) // 2]))


def with_null() -> Fault:
    """A batch answer that holds null where a version could not be prepared."""

    def change(answer: Answer) -> Answer:
        body = json.dumps([None, *json.loads(answer.body)]).encode()
        return replace(answer, body=body)

    return _on_body(change)


def empty_page(cursor: str) -> Fault:
    """A page without items that goes on at a cursor."""

    def bent(request: Request, _handle: Callable[[], Answer]) -> Answer:
        following = f"http://{request.host}/api/v1/models?cursor={cursor}"
        metadata: dict[str, Any] = {"nextCursor": cursor, "nextPage": following}
        return json_answer({"items": [], "metadata": metadata})

    return bent


# ── bytes that are not what they should be ──


def cut(after: int) -> Fault:
    """The connection breaks after so many bytes of the body."""
    return _on_body(lambda answer: replace(answer, cut_after=after))


def wrong_bytes() -> Fault:
    """As many bytes as promised, the last one another."""
    return _on_body(lambda answer: replace(answer, body=answer.body[:-1] + bytes([answer.body[-1] ^ 1])))


def other_bytes(data: bytes) -> Fault:
    """Another file altogether."""
    return _on_body(lambda answer: replace(answer, body=data))


def no_length() -> Fault:
    """No Content-Length: the end is where the connection closes."""
    return _on_body(lambda answer: replace(answer, length=False))


def no_ranges() -> Fault:
    """A server that ignores Range and sends the whole file with 200."""

    def bent(request: Request, handle: Callable[[], Answer]) -> Answer:
        del request.headers["Range"]
        return handle()

    return bent


def slow(rate: int) -> Fault:
    """So many bytes a second."""
    return _on_body(lambda answer: replace(answer, rate=rate))


def without(*names: str) -> Fault:
    """The answer without some headers."""

    def bent(_request: Request, handle: Callable[[], Answer]) -> Answer:
        answer = handle()
        return replace(
            answer, headers={key: value for key, value in answer.headers.items() if key not in names}
        )

    return bent


def with_headers(**headers: str) -> Fault:
    """The answer with other headers; `_` in a name stands for `-`."""
    return lambda _request, handle: handle().with_headers(**headers)
