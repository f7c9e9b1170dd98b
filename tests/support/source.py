"""Our own source code as data, for the tests that execute the house style."""

import ast
import functools
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
#: The packages of the product; whatever is not there yet is simply empty.
PACKAGES: Final = ("remuda", "launcher", "builder", "requestor", "sandbox")


@dataclass(frozen=True)
class Source:
    """One Python file.

    Attributes:
        path: Relative to the repository, with slashes.
        module: Its dotted name.
    """

    path: str
    module: str
    text: str
    tree: ast.Module

    def at(self, node: ast.AST, what: str) -> str:
        """Return a complaint in the form that editors understand."""
        return f"{self.path}:{getattr(node, 'lineno', 1)}: {what}"

    @property
    def package(self) -> str:
        """The top-level package it belongs to."""
        return self.module.partition(".")[0]


@functools.cache
def product() -> tuple[Source, ...]:
    """Return every file of the product."""
    return tuple(_read(path) for name in PACKAGES for path in sorted((ROOT / name).rglob("*.py")))


@functools.cache
def tests() -> tuple[Source, ...]:
    """Return every file of the tests."""
    return tuple(_read(path) for path in sorted((ROOT / "tests").rglob("*.py")))


@functools.cache
def files() -> tuple[Path, ...]:
    """Return every file that is or would be committed; all files if this is no checkout."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode != 0:
        hidden = {".venv", ".git", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis"}
        every = (path for path in ROOT.rglob("*") if not hidden.intersection(path.parts))
    else:
        every = (ROOT / name for name in listed.stdout.decode().split("\0") if name)
    return tuple(sorted(path for path in every if path.is_file()))


def nothing(found: list[str]) -> None:
    """Fail with one complaint per line, all of them, unless there is none."""
    assert not found, "\n" + "\n".join(found)


def imports(source: Source) -> Iterator[tuple[ast.stmt, str]]:
    """Yield each import statement with what it imports, as an absolute dotted name.

    ``from a import b`` yields ``a.b``: whether b is a module is for the caller to know.
    """
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                is_package = source.path.endswith("__init__.py")
                parents = source.module.split(".")
                kept = len(parents) - node.level + (1 if is_package else 0)
                base = ".".join([*parents[:kept], *([base] if base else [])])
            for alias in node.names:
                yield node, f"{base}.{alias.name}"


def uses(source: Source) -> Iterator[tuple[ast.expr, str]]:
    """Yield each name or attribute that was imported, as a dotted name: ``time.sleep``."""
    known: dict[str, str] = {}
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                head = alias.name.partition(".")[0]
                known[alias.asname or head] = alias.name if alias.asname else head
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                known[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute | ast.Name):
            name = _dotted(node, known)
            if name is not None:
                yield node, name


def _dotted(node: ast.expr, known: dict[str, str]) -> str | None:
    if isinstance(node, ast.Name):
        return known.get(node.id)
    if isinstance(node, ast.Attribute):
        owner = _dotted(node.value, known)
        return None if owner is None else f"{owner}.{node.attr}"
    return None


def _read(path: Path) -> Source:
    relative = path.relative_to(ROOT)
    parts = relative.with_suffix("").parts
    module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    text = path.read_text(encoding="utf-8")
    return Source(
        path=relative.as_posix(), module=module, text=text, tree=ast.parse(text, str(relative))
    )
