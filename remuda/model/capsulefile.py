"""A capsule as one file to take home: a small tar archive, equal for equal capsules."""

import gzip
import io
import json
import tarfile
from collections.abc import Iterator
from typing import Final

from remuda.model.capsule import LOGS, Capsule, capsule_doc

#: What its file is called.
SUFFIX: Final = ".tar.gz"


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


def _files(capsule: Capsule) -> Iterator[tuple[str, str]]:
    doc = capsule_doc(capsule)
    # Its texts are files of their own.
    doc["console"], doc["logs"] = "", {}
    doc["transcript"] = [{**one, "output": ""} for one in doc["transcript"]]
    yield "capsule.json", json.dumps(doc, indent=2, sort_keys=True) + "\n"
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
