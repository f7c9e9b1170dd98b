"""A capsule as one file to take home: a small tar archive, equal for equal capsules."""

import gzip
import io
import json
import tarfile
import zlib
from collections.abc import Iterator
from typing import Final

from remuda.model import codec
from remuda.model.capsule import LOGS, Capsule, capsule_doc
from remuda.model.codec import CorruptRecordError
from remuda.model.ids import NodeId, is_node_id

#: What its file is called.
SUFFIX: Final = ".tar.gz"
_DOC: Final = "capsule.json"
#: No such document of ours is larger, with what tar has before it.
_HEAD_BYTES_MAX: Final = 1024 * 1024
_PLAIN: Final = frozenset({tarfile.REGTYPE, tarfile.AREGTYPE})
#: What gzip and tarfile make of foreign bytes: sizes and chains of headers are what they claim.
_NO_ARCHIVE: Final = (
    *(OSError, EOFError, ValueError, OverflowError, RecursionError, KeyError),
    *(zlib.error, tarfile.TarError),
)


def pack(capsule: Capsule) -> bytes:
    """Return the archive: one folder, called like the node."""
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as squeezed,
        tarfile.open(fileobj=squeezed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for name, text in _files(capsule):
            data = text.encode("utf-8", "replace")
            about = tarfile.TarInfo(f"capsule-{_plain(capsule.node)}/{name}")
            about.size, about.mode, about.mtime = len(data), 0o600, int(capsule.at_s)
            archive.addfile(about, io.BytesIO(data))
    return packed.getvalue()


def node_of_file(data: bytes) -> NodeId:
    """Return the node that such an archive tells of; it may come from anybody.

    Raises:
        CorruptRecordError: If it is none.
    """
    try:
        # No more than this is ever unpacked, whatever it claims to hold.
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as squeezed:
            head = io.BytesIO(squeezed.read(_HEAD_BYTES_MAX))
        with tarfile.open(fileobj=head, mode="r:") as archive:
            raw = _document(head, archive.next())
    except _NO_ARCHIVE as exc:
        raise CorruptRecordError("capsule", "it is no archive of a capsule") from exc
    node = codec.parse("capsule", raw).get("node")
    if not isinstance(node, str) or not is_node_id(node):
        raise CorruptRecordError("capsule", "it names no node")
    return NodeId(node)


def _document(head: io.BytesIO, first: tarfile.TarInfo | None) -> bytes:
    """Return what the first file holds, by its bytes alone; empty if it is no document of ours.

    ``tarfile`` would follow links, to themselves too, and write out the holes of a sparse file.
    """
    if first is None or first.type not in _PLAIN or first.issparse():
        return b""
    if not first.name.endswith(f"/{_DOC}") or not 0 <= first.size <= _HEAD_BYTES_MAX:
        return b""
    head.seek(first.offset_data)
    raw = head.read(first.size)
    return raw if len(raw) == first.size else b""


def _files(capsule: Capsule) -> Iterator[tuple[str, str]]:
    doc = capsule_doc(capsule)
    # Its texts are files of their own.
    doc["console"], doc["logs"] = "", {}
    doc["transcript"] = [{**one, "output": ""} for one in doc["transcript"]]
    yield _DOC, json.dumps(doc, indent=2, sort_keys=True) + "\n"
    if capsule.console:
        yield "console.log", capsule.console
    if capsule.transcript:
        yield "transcript.txt", _transcript(capsule)
    for name, text in capsule.logs.items():
        if name in LOGS:
            yield LOGS[name], text


def _transcript(capsule: Capsule) -> str:
    lines = []
    for one in capsule.transcript:
        ended = "ok" if one.get("ok") else f"FAILED: {one.get('why', '')}"
        lines.append(f"=== {one.get('step')} {one.get('name')}: {ended}")
        lines.append(str(one.get("output", "")))
    return "\n".join(lines) + "\n"


def _plain(name: str) -> str:
    """Return a name of a file, whatever a record calls the node."""
    return "".join(one if one.isascii() and one.isalnum() else "-" for one in name)[:80] or "node"
