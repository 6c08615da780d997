"""Reading a saved plan: `comfywatchman.plan/1`, alone or inside the document of `resolve --json`."""

from __future__ import annotations

from typing import Final, TypeVar

from .air import parse_air
from .catalog import Access, LocalFile, RemoteFile, Scan
from .decode import Value, parse_json
from .digest import Digest, parse_digest
from .errors import InputError, InvalidPlan
from .names import safe_path
from .plan import SCHEMA, Consent, Kept, Open, Plan, Transfer
from .resolution import Evidence
from .workflow.references import Reference

_T = TypeVar("_T")
_EVIDENCE: Final = {evidence.word: evidence for evidence in Evidence}


def read_plan(data: bytes) -> Plan:
    """The plan that `Plan.to_dict` wrote as JSON.

    Raises:
        InvalidPlan: it is none; the message names the place.
    """
    try:
        document = Value(parse_json(data))
        if document["plan"].json is not None:
            document = document["plan"]
        if document["schema"].json != SCHEMA:
            raise document["schema"].fault(SCHEMA)
        return Plan(
            transfers=tuple(map(_transfer, document["transfers"].items())),
            kept=tuple(map(_kept, document["kept"].items())),
            unresolved=tuple(map(_open, document["unresolved"].items())),
        )
    except InputError as fault:
        raise InvalidPlan(f"plan: {fault.message}") from fault


def _transfer(value: Value) -> Transfer:
    return Transfer(
        source=_remote_file(value["file"]),
        root=value["root"].text(),
        folder=value["folder"].text(),
        path=safe_path(value["path"].text()),
        evidence=_member(value["evidence"], _EVIDENCE),
        consent=_member(value["consent"], {c.value: c for c in Consent}),
        reason=value["reason"].text(),
        references=tuple(map(_reference, value["references"].items())),
    )


def _kept(value: Value) -> Kept:
    return Kept(reference=_reference(value), file=_local_file(value["file"]))


def _open(value: Value) -> Open:
    return Open(reference=_reference(value), state=value["state"].text(), reason=value["reason"].text())


def _reference(value: Value) -> Reference:
    digest = value["digest"].text_or_none()
    return Reference(
        node_id=value["node_id"].text(),
        node_type=value["node_type"].text(),
        input_name=value["input"].text(),
        folder=value["folder"].text(),
        name=value["name"].text(),
        other_folders=tuple(other.text() for other in value["other_folders"].items()),
        url=value["url"].text_or_none(),
        digest=parse_digest(digest) if digest else None,
        active=value["active"].flag(),
    )


def _local_file(value: Value) -> LocalFile:
    return LocalFile(
        folder=value["folder"].text(),
        path=value["path"].text(),
        root=value["root"].text(),
        size=value["size"].integer(),
        mtime_ns=value["mtime_ns"].integer(),
        digests=_digests(value["digests"]),
        origin=value["origin"].text_or_none(),
    )


def _remote_file(value: Value) -> RemoteFile:
    air = value["air"].text_or_none()
    scan = value["scan"].text_or_none()
    return RemoteFile(
        hub=value["hub"].text(),
        name=value["name"].text(),
        url=value["url"].text(),
        page=value["page"].text_or_none(),
        id=value["id"].text_or_none(),
        size=value["size"].integer_or_none(),
        digests=_digests(value["digests"]),
        air=parse_air(air) if air else None,
        access=_member(value["access"], {a.value: a for a in Access}),
        folder=value["folder"].text_or_none(),
        scan=_member(value["scan"], {s.value: s for s in Scan}) if scan else None,
        model_name=value["model_name"].text_or_none(),
        version_name=value["version_name"].text_or_none(),
        base_model=value["base_model"].text_or_none(),
        precision=value["precision"].text_or_none(),
        trigger_words=tuple(word.text() for word in value["trigger_words"].items()),
        licence=value["licence"].text_or_none(),
        uploader=value["uploader"].text_or_none(),
        downloads=value["downloads"].integer_or_none(),
        published_at=value["published_at"].text_or_none(),
        revision=value["revision"].text_or_none(),
    )


def _digests(value: Value) -> tuple[Digest, ...]:
    return tuple(parse_digest(digest.text()) for digest in value.items())


def _member(value: Value, members: dict[str, _T]) -> _T:
    member = members.get(value.text())
    if member is None:
        raise value.fault(" or ".join(members))
    return member
