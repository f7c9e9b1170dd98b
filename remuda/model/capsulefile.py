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
            first = archive.next()
            found = None if first is None else archive.extractfile(first)
            named = first is not None and first.name.endswith(f"/{_DOC}")
            raw = found.read() if found is not None and named else b""
    except (OSError, EOFError, ValueError, zlib.error, tarfile.TarError, KeyError) as exc:
        raise CorruptRecordError("capsule", "it is no archive of a capsule") from exc
    node = codec.parse("capsule", raw).get("node")
    if not isinstance(node, str) or not is_node_id(node):
        raise CorruptRecordError("capsule", "it names no node")
    return NodeId(node)


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
