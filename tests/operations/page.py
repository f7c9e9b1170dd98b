"""What docs/operations.md has people do: its shell blocks, in order, each with its hosts.

A block belongs to the hosts of the last line before it that begins with ``On `` and names them
in bold, within the same section.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_HOST: Final = re.compile(r"\*\*([a-z][a-z0-9]*)\*\*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One block: which hosts run it, under which heading and on which line it stands."""

    hosts: tuple[str, ...]
    heading: str
    line: int
    script: str


class PageError(Exception):
    """A block of which nobody can say where it is to be run."""


def steps(text: str) -> Iterator[Step]:
    """Yield the page's ``sh`` blocks.

    Raises:
        PageError: If a block says no host.
    """
    heading, hosts = "", ()
    block: list[str] | None = None
    is_shell = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("```"):
            if block is None:
                block, is_shell = [], line.removeprefix("```").strip() == "sh"
                continue
            if is_shell:
                if not hosts:
                    raise PageError(f"line {number - len(block)}: on which hosts?")
                yield Step(
                    hosts=hosts,
                    heading=heading,
                    line=number - len(block),
                    script="\n".join(block) + "\n",
                )
            block = None
        elif block is not None:
            block.append(line)
        elif line.startswith("#"):
            heading, hosts = line.lstrip("# "), ()
        elif line.startswith("On "):
            hosts = tuple(_HOST.findall(line))
