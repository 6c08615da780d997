"""The two formats of model files, written without torch: safetensors, and the zip of `torch.save`."""

from __future__ import annotations

import io
import json
import pickle
import struct
import zipfile
from collections.abc import Mapping
from types import MappingProxyType

Shape = tuple[int, ...]
Tensor = tuple[Shape, bytes]  # its halves, one after the other
View = tuple[int, Shape, Shape]  # offset in the pool, shape, strides


def write_safetensors(
    tensors: Mapping[str, Tensor], metadata: Mapping[str, str] = MappingProxyType({})
) -> bytes:
    """Halves in the safetensors format: length of the header, header as JSON, data without gaps."""
    header: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    end = 0
    for name, (shape, data) in tensors.items():
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": (end, end + len(data))}
        end += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(data for _, data in tensors.values())


def write_torch_zip(views: Mapping[str, View], pool: bytes) -> bytes:
    """What `torch.save` writes for tensors of halves that share one storage: (offset, shape, strides) each.

    https://docs.pytorch.org/docs/stable/notes/serialization.html; read by `torch.load(weights_only=True)`.
    """
    records = {"data.pkl": _pickle_views(views, len(pool) // 2), "data/0": pool, "version": b"3\n"}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in records.items():
            archive.writestr(zipfile.ZipInfo(f"tiny/{name}"), data)  # dated 1980, so always the same bytes
    return file.getvalue()


def _pickle_views(views: Mapping[str, View], count: int) -> bytes:
    storage = _tuple(_text("storage"), _global("torch", "HalfStorage"), _text("0"), _text("cpu"), _int(count))
    hooks = _global("collections", "OrderedDict") + pickle.EMPTY_TUPLE + pickle.REDUCE
    items = b"".join(
        _text(name)
        + _global("torch._utils", "_rebuild_tensor_v2")
        + _tuple(
            storage + pickle.BINPERSID,
            _int(offset),
            _tuple(*map(_int, shape)),
            _tuple(*map(_int, strides)),
            pickle.NEWFALSE,  # requires_grad
            hooks,
        )
        + pickle.REDUCE
        for name, (offset, shape, strides) in views.items()
    )
    return pickle.PROTO + b"\x02" + pickle.EMPTY_DICT + pickle.MARK + items + pickle.SETITEMS + pickle.STOP


def _text(value: str) -> bytes:
    return pickle.BINUNICODE + struct.pack("<I", len(value.encode())) + value.encode()


def _int(value: int) -> bytes:
    return pickle.BININT + struct.pack("<i", value)


def _global(module: str, name: str) -> bytes:
    return pickle.GLOBAL + f"{module}\n{name}\n".encode()


def _tuple(*items: bytes) -> bytes:
    return pickle.MARK + b"".join(items) + pickle.TUPLE
