"""What a disk may look like after the power went: a model over the log of what was done to it.

    log = [("create", name, file), ("write", file, offset, bytes), ("sync", file), ("link", old, new),
           ("replace", old, new), ("unlink", name), ("truncate", file, size), ("sync names",)]
    disk = cut(log, random.Random(1))    one legal state
    disk.lay_out(folder)

Bytes that were synced are there; of those written since, any may be there: none, all, the first ones, some in
any order, or a part of one. The same for names since their folder was synced. That is more than file systems
do to one and less than POSIX lets them (see OSDI '14, "All File Systems Are Not Created Equal").
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from transfer.faultydisk import Record


@dataclass(slots=True)
class Disk:
    """Names and the files they mean."""

    names: dict[str, int] = field(default_factory=dict)
    files: dict[int, bytearray] = field(default_factory=dict)

    def lay_out(self, folder: Path) -> None:
        """Make it real: a file with two names has two names."""
        folder.mkdir()
        homes: dict[int, Path] = {}
        for name, file in self.names.items():
            path = folder / name
            if file in homes:
                path.hardlink_to(homes[file])
            else:
                path.write_bytes(self.files.get(file, b""))
                homes[file] = path


@dataclass(slots=True)
class _Pending:
    """What is done and not yet synced."""

    bytes: dict[int, list[Record]] = field(default_factory=dict)
    names: list[Record] = field(default_factory=list)


def cut(log: Sequence[Record], rng: random.Random, *, syncs: bool = True) -> Disk:
    """A disk after the power went at a random moment; with `syncs` False no sync does anything."""
    disk, pending = Disk(), _Pending()
    for record in log[: rng.randint(0, len(log))]:
        match record:
            case ("sync", file):
                if syncs:
                    _settle(disk, file, pending.bytes.pop(file, []))
            case ("sync names",):
                if syncs:
                    _rename(disk, pending.names)
                    pending.names = []
            case ("write" | "truncate", file, *_):
                pending.bytes.setdefault(file, []).append(record)
            case _:
                pending.names.append(record)
    for file, records in pending.bytes.items():
        _settle(disk, file, _some(records, rng, torn=True))
    _rename(disk, _some(pending.names, rng))
    return disk


def _some(records: list[Record], rng: random.Random, *, torn: bool = False) -> list[Record]:
    """None, all, the first, or any of them in any order; the last of them perhaps in part."""
    match rng.choice(("none", "all", "first", "any", "shuffled")):
        case "none":
            kept = []
        case "all":
            kept = list(records)
        case "first":
            kept = records[: rng.randint(0, len(records))]
        case "any":
            kept = [record for record in records if rng.random() < 0.5]
        case _:
            kept = [record for record in records if rng.random() < 0.7]
            if torn:  # names keep their order: a file system has one journal for them
                rng.shuffle(kept)
    if torn and kept and kept[-1][0] == "write" and rng.random() < 0.5:
        name, file, offset, data = kept[-1]
        kept[-1] = (name, file, offset, data[: rng.randint(0, len(data))])
    return kept


def _settle(disk: Disk, file: int, records: Sequence[Record]) -> None:
    """Bring writes to the disk."""
    data = disk.files.setdefault(file, bytearray())
    for record in records:
        if record[0] == "truncate":
            size = record[2]
            del data[size:]
            data.extend(bytes(size - len(data)))
        else:
            _, _, offset, written = record
            data.extend(bytes(max(0, offset - len(data))))
            data[offset : offset + len(written)] = written


def _rename(disk: Disk, records: Sequence[Record]) -> None:
    """Bring names to the disk; one whose beginning was lost is lost itself."""
    for record in records:
        match record:
            case ("create", name, file):
                disk.names[name] = file
            case ("link", old, new) if old in disk.names:
                disk.names.setdefault(new, disk.names[old])
            case ("replace", old, new) if old in disk.names:
                disk.names[new] = disk.names.pop(old)
            case ("unlink", name):
                disk.names.pop(name, None)
