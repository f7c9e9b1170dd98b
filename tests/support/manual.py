"""The shell blocks of README and docs: what people copy and run."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support.source import ROOT

#: Fenced blocks of these kinds are no shell, whatever they look like.
_OTHERS: Final = frozenset(
    {"yaml", "python", "json", "mermaid", "ini", "text", "promql", "diff", "toml"}
)
_SHELLS: Final = frozenset({"sh", "bash", "console", "shell"})
#: What a block without a kind begins with if it is shell.
_COMMAND: Final = re.compile(
    r"\$ |(?:[A-Z_]+=\S+ )*(?:remuda|make|openstack|export|curl|\.venv/bin/\w+|python3?|git|\.|"
    r"useradd|cp|install|systemctl|apt-get|ssh|cd|pip) "
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One block.

    Attributes:
        page: File, relative to the repository.
        line: Of its first line of text.
        text: Without the fence, or the indentation.
    """

    page: str
    line: int
    text: str

    @property
    def name(self) -> str:
        """What a table knows it by: its page and how it begins, comments aside."""
        first = next(line for line in self.text.splitlines() if line.strip())
        return f"{self.page}: {first.partition('  #')[0].strip()}"

    def commands(self) -> list[str]:
        """Return its commands, continued lines joined, prompts and outputs left out."""
        lines = re.sub(r"\\\n\s*", "", self.text).splitlines()
        if any(line.startswith("$ ") for line in lines):
            return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
        return [line for line in lines if line.strip() and not line.startswith("#")]


def pages() -> list[Path]:
    """Return every document of the repository."""
    found = [*ROOT.glob("*.md"), *ROOT.glob("deploy/**/*.md"), *ROOT.glob("docs/**/*.md")]
    return sorted(found)


def shell_blocks(page: Path) -> Iterator[Block]:
    """Yield the blocks of a page that hold commands."""
    name = page.relative_to(ROOT).as_posix()
    for kind, line, text in _blocks(page.read_text()):
        if kind in _SHELLS or (kind not in _OTHERS and _COMMAND.match(text)):
            yield Block(page=name, line=line, text=text)


def _blocks(text: str) -> Iterator[tuple[str, int, str]]:
    """Yield kind, line and text of fenced blocks, and of indented ones, whose kind is empty."""
    lines = [*text.splitlines(), ""]
    kept: list[str] = []
    fence: str | None = None
    deep = 0  # a block of a list is indented as its item is
    for number, line in enumerate(lines, 1):
        bare = line.lstrip()
        if bare.startswith("```"):
            if fence is None:
                fence, kept = bare[3:].strip().partition(" ")[0], []
                deep = len(line) - len(bare)
            else:
                if "".join(kept).strip():
                    yield fence, number - len(kept), "\n".join(kept)
                fence, kept = None, []
        elif fence is not None:
            kept.append(line[deep:])
        elif line.startswith("    ") and (kept or not lines[number - 2].strip()):
            kept.append(line[4:])
        elif kept:
            yield "", number - len(kept), "\n".join(kept)
            kept = []
