"""Reading a saved plan: `comfywatchman.plan/1`, alone or inside the document of `resolve --json`.

A saved plan may come from anybody. It says what to fetch; who must agree is judged again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeVar

from .air import clean_url, parse_air
from .catalog import Access, LocalFile, RemoteFile, Scan, format_of
from .consent import Consent, Policy, judge
from .decode import Value, parse_json
from .digest import Digest, parse_digest
from .errors import InputError, InvalidPlan
from .names import printable, safe_path
from .plan import SCHEMA, Kept, Open, Plan, Transfer
from .resolution import Evidence
from .workflow.references import Reference

_T = TypeVar("_T")
_EVIDENCE: Final = {evidence.word: evidence for evidence in Evidence}


def is_plan(data: bytes) -> bool:
    """Whether a file is one of our documents with a plan in it, readable or not."""
    try:
        document = Value(parse_json(data))
        schemas = (document["schema"].json, document["plan"]["schema"].json)
    except InputError:
        return False
    return SCHEMA in schemas


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
            transfers=tuple(map(_planned, document["transfers"].items())),
            kept=tuple(map(_kept, document["kept"].items())),
            unresolved=tuple(map(_open, document["unresolved"].items())),
        )
    except InputError as fault:
        raise InvalidPlan(f"plan: {fault.message}") from fault


def judge_again(
    saved: Plan,
    *,
    owner: Callable[[str], str | None],
    root: Callable[[str, str], str],
    policy: Policy,
    is_file: Callable[[LocalFile], bool],
) -> Plan:
    """The plan with hub, root and consent of each transfer found out anew.

    `owner(url)` is the hub a URL belongs to; `root(folder, saved)` the directory to write to. Scans and
    evidence by digest are the hub's to tell, so the plan's word for them does not count.
    """
    transfers = []
    for transfer in saved.transfers:
        hub = owner(transfer.source.url) or "web"
        source = replace(transfer.source, hub=hub, scan=None)
        evidence = min(transfer.evidence, Evidence.URL)
        consent, reason = judge(source, evidence, policy)
        transfers.append(
            replace(
                transfer,
                source=source,
                root=root(transfer.folder, transfer.root),
                consent=consent,
                reason=reason,
            )
        )
    gone = [kept.reference for kept in saved.kept if not is_file(kept.file)]
    reason = "it was here when the plan was made, and is no longer"
    lost = tuple(Open(reference=reference, state="missing", reason=reason) for reference in gone)
    kept = tuple(kept for kept in saved.kept if kept.reference not in gone)
    return Plan(transfers=tuple(transfers), kept=kept, unresolved=(*saved.unresolved, *lost))


def _planned(value: Value) -> Transfer:
    """A transfer of a file from outside: its address can be read, and its path promises its own format."""
    transfer = read_transfer(value)
    source = transfer.source
    url = clean_url(source.url)
    if url is None:
        raise value["file"]["url"].fault("a web address")
    if format_of(transfer.path) != source.format:  # consent goes by the format: none gets another's name
        name = printable(source.name)[:120]
        raise value["path"].fault(f"a name for a {source.format} file, as {name!r} is")
    return replace(transfer, source=replace(source, url=url))


def read_transfer(value: Value) -> Transfer:
    """The transfer that `Transfer.to_dict` wrote.

    Raises:
        InputError: it is none.
    """
    return Transfer(
        source=_remote_file(value["file"]),
        root=_directory(value["root"]),
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
        url=clean_url(value["url"].text_or_none() or ""),
        digest=parse_digest(digest) if digest else None,
        active=value["active"].flag(),
        linked=value["linked"].flag(),
    )


def _local_file(value: Value) -> LocalFile:
    return LocalFile(
        folder=value["folder"].text(),
        path=value["path"].text(),
        root=_directory(value["root"]),
        size=value["size"].integer(),
        mtime_ns=value["mtime_ns"].integer(),
        digests=_digests(value["digests"]),
        origin=value["origin"].text_or_none(),
    )


def _directory(value: Value) -> str:
    """The path of a directory, which no file system lets hold a null."""
    text = value.text()
    if "\0" in text:
        raise value.fault("a directory")
    return text


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
