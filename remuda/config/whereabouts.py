"""Where ZooKeeper is, read out of a configuration without the rest of it.

A command that looks needs this section alone, and a large file takes a second to read as a whole.
Whatever is not plain here is left to the loader, which reads all and says what is wrong.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pydantic import Field, ValidationError

from remuda.config.base import Section
from remuda.config.choices import check_choices
from remuda.config.credential import check_credential
from remuda.config.document import NotYamlError, parse
from remuda.config.environment import substitute
from remuda.config.hostfiles import HostFiles
from remuda.config.parts import Zookeeper
from remuda.config.report import Report
from remuda.config.sources import CONFIG_BYTES_MAX, Sources, UnreadableError

_KEY: Final = "zookeeper"
#: A line of the top level: a plain key, or nothing that matters. Anything else may be the middle of
#: a text or a bracket that begins above.
_TOP: Final = re.compile(r"\A(?:[A-Za-z][A-Za-z0-9_-]*:(?:[ \t].*)?|#.*|---[ \t]*)")
#: What may span lines and end at the margin, and names that lead elsewhere in the file.
_SPANS: Final = ("{}", "[]")
_ELSEWHERE: Final = re.compile(r"(?:^|[\s:\[{,])[&*!<]")


class _Part(Section):
    """The section that is wanted."""

    zookeeper: Zookeeper = Field(description="Where ZooKeeper is.")


def read_zookeeper(
    path: str | os.PathLike[str], *, environ: Mapping[str, str] = os.environ
) -> Zookeeper | None:
    """Return the section of a file, or None if only the whole file can tell, or what is wrong."""
    sources = Sources()
    file = Path(os.path.abspath(path))  # noqa: PTH100 - as the loader names it
    try:
        text = sources.read(file, bytes_max=CONFIG_BYTES_MAX)
        section = cut_out(text)
        document = parse(section) if section is not None else None
    except (UnreadableError, NotYamlError):
        return None
    if document is None or document.flaws or not isinstance(document.data, dict):
        return None
    if set(document.data) != {_KEY}:
        return None
    report = Report(os.fspath(path), document)
    host = HostFiles(file.parent, sources, report, "")
    data = dict(document.data)
    hidden = substitute(_Part, data, environ, report)
    check_choices(_Part, data, report)
    host.resolve(_Part, data)
    check_credential(data, host, hidden)
    if report.problems():
        return None
    try:
        return _Part.model_validate(data, by_alias=True, by_name=False).zookeeper
    except ValidationError:
        return None


def cut_out(text: str) -> str | None:
    """Return the lines of the section, or None if they may not be all of it."""
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    tops = [number for number, line in enumerate(lines) if line and line[0] not in " \t"]
    if not all(_TOP.fullmatch(lines[number]) for number in tops):
        return None
    keys = [number for number in tops if lines[number][0] not in "#-"]
    found = [number for number in keys if lines[number].startswith(f"{_KEY}:")]
    if len(found) != 1:
        return None
    start = found[0]
    if not _closed(lines[:start]):
        return None
    end = next((number for number in keys if number > start), len(lines))
    section = lines[start:end]
    return "\n".join(section) if not any(map(_ELSEWHERE.search, section)) else None


def _closed(lines: list[str]) -> bool:
    """Whether no bracket and no quotation that begins in *lines* reaches beyond them."""
    above = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
    brackets = all(above.count(left) == above.count(right) for left, right in _SPANS)
    return brackets and above.count('"') % 2 == 0 and above.count("'") % 2 == 0
