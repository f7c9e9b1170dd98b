"""The index pages and the manifest of an archive. Every word of a stranger is escaped."""

import base64
import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from html import escape
from typing import Any, Final
from urllib.parse import quote

from remuda.archive.contents import INDEX, MANIFEST, ArchivedFile, Contents
from remuda.archive.facts import facts_table
from remuda.jsontext import to_json

#: The form of the manifest.
MANIFEST_FORM: Final = 1

_STYLE: Final = (
    "body{font-family:sans-serif;margin:2em}td,th{padding:0 1em 0 0;text-align:left}"
    "td.n{text-align:right}td.t,p.w,table.f th{color:#666}table.f{margin-bottom:1em}"
)
#: A signed address has its signature in the query, and all below the same folder goes with it: a
#: link without it would be refused. Nothing signed is stored anywhere.
_SCRIPT: Final = (
    "for(const a of document.querySelectorAll('a'))if(location.search)a.search=location.search"
)


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


#: Only what we wrote is run, whatever a name holds, and nothing is fetched from anywhere; the
#: signature in the address goes to nobody.
_POLICY: Final = (
    f"default-src 'none'; style-src '{_hash(_STYLE)}'; script-src '{_hash(_SCRIPT)}'; "
    "base-uri 'none'; form-action 'none'"
)
_HEAD: Final = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8">'
    f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    '<meta name="referrer" content="no-referrer"><meta name="robots" content="noindex">'
    f"<title>{{title}}</title><style>{_STYLE}</style></head><body><h1>{{title}}</h1>\n"
)
_FOOT: Final = f"<script>{_SCRIPT}</script></body></html>\n"


def index_pages(
    contents: Contents, title: str, about: Mapping[str, Any], now_s: float
) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Yield the page of every folder that has none of its own: its name, and its pieces.

    The first one says of which job that is, as far as *about* does, which has no secrets any more.
    """
    own = {one.name for one in contents.files}
    folders = _children(contents)
    for folder in sorted(folders):
        name = f"{folder}/{INDEX}" if folder else INDEX
        if name not in own and name not in contents.links:
            head = "" if folder else facts_table(about, _time(now_s)) + _summary(contents)
            yield name, _page(folder, folders[folder], contents, title, head)


def _children(contents: Contents) -> dict[str, tuple[set[str], list[ArchivedFile], list[str]]]:
    """Return for each folder: folders in it, files in it, links in it."""
    found: dict[str, tuple[set[str], list[ArchivedFile], list[str]]] = {"": (set(), [], [])}

    def room(folder: str) -> tuple[set[str], list[ArchivedFile], list[str]]:
        while folder not in found:
            found[folder] = (set(), [], [])
            above, _, name = folder.rpartition("/")
            room(above)[0].add(name)
        return found[folder]

    for file in contents.files:
        room(file.name.rpartition("/")[0])[1].append(file)
    for link in contents.links:
        room(link.rpartition("/")[0])[2].append(link)
    return found


def _page(
    folder: str,
    children: tuple[set[str], list[ArchivedFile], list[str]],
    contents: Contents,
    title: str,
    head: str,
) -> Iterator[bytes]:
    below, files, links = children
    shown = f"{title}: {folder}" if folder else title
    yield _HEAD.replace("{title}", escape(shown)).encode()
    if folder:
        yield b'<p><a href="../index.html">..</a></p>\n'
    yield head.encode()
    yield b"<table><tr><th>name</th><th>bytes</th><th>type</th></tr>\n"
    for name in sorted(below):
        yield _row(f"{name}/", f"{name}/{INDEX}", "", "folder")
    for file in sorted(files, key=lambda one: one.name):
        name = file.name.rpartition("/")[2]
        yield _row(name, name, f"{file.bytes}", file.media_type)
    ups = "../" * (folder.count("/") + 1) if folder else ""
    for name in sorted(links):
        target = contents.links[name]
        end = "" if target in contents.taken else f"/{INDEX}"
        yield _row(name.rpartition("/")[2], f"{ups}{target}{end}", "", f"link to {target}")
    yield f"</table>{_FOOT}".encode()


def _row(shown: str, where: str, size: str, kind: str) -> bytes:
    # ./ so that no name is taken for a scheme, such as "javascript:x".
    href = escape("./" + quote(where, safe="/"))
    return (
        f'<tr><td><a href="{href}">{escape(shown)}</a></td><td class="n">{size}</td>'
        f'<td class="t">{escape(kind)}</td></tr>\n'
    ).encode()


def _summary(contents: Contents) -> str:
    total = sum(one.bytes for one in contents.files)
    words = [f"{len(contents.files)} files, {total} bytes."]
    if contents.left_out_count:
        words.append(f"{contents.left_out_count} left out.")
    if contents.failed_count:
        words.append(f"{contents.failed_count} could not be stored.")
    if contents.cut:
        words.append(f"It is not complete: {contents.cut}.")
    return f'<p class="w">{escape(" ".join(words))} <a href="./{MANIFEST}">{MANIFEST}</a></p>\n'


def manifest(contents: Contents, about: Mapping[str, Any], now_s: float) -> Iterator[bytes]:
    """Yield the manifest, a line for each file; *about* has no secrets any more."""
    head = {
        "manifest": MANIFEST_FORM,
        "made": _time(now_s),
        **about,
        "files_count": len(contents.files),
        "bytes": sum(one.bytes for one in contents.files),
        "complete": not contents.cut and not contents.failed_count,
        "why": contents.cut,
        "left_out_count": contents.left_out_count,
        "failed_count": contents.failed_count,
        "left_out": [{"name": one.name, "why": one.why} for one in contents.left_out],
        "failed": [{"name": one.name, "why": one.why} for one in contents.failed],
        "links": [{"name": name, "target": to} for name, to in sorted(contents.links.items())],
    }
    yield to_json(head)[:-1].encode()
    yield b', "files": ['
    for number, one in enumerate(sorted(contents.files, key=lambda file: file.name)):
        yield (",\n" if number else "\n").encode() + to_json(_told(one)).encode()
    yield b"\n]}\n"


def _told(file: ArchivedFile) -> dict[str, Any]:
    doc: dict[str, Any] = {
        "name": file.name,
        "bytes": file.bytes,
        "sha256": file.sha256,
        "type": file.media_type,
    }
    if file.encoding is not None:
        doc |= {"encoding": file.encoding, "stored_bytes": file.stored_bytes}
    if file.modified_s is not None:
        doc["modified"] = _time(file.modified_s)
    return doc


def _time(at_s: float) -> str | None:
    try:
        return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return None
