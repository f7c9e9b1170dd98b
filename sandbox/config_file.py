"""Reading a sandbox's configuration file: all problems at once, with their places."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from sandbox.config import Config, stable_id
from sandbox.reading import BadInputError, given, read


def load(path: Path) -> Config:
    """Read the configuration file *path*.

    Raises:
        BadInputError: With all mistakes in it.
    """
    try:
        doc = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as exc:
        raise BadInputError([f"{path}: cannot be read: {exc}"]) from exc
    except yaml.YAMLError as exc:
        raise BadInputError([f"{path}: is not YAML: {exc}"]) from exc
    return parse(doc, base=path.parent)


def parse(doc: object, *, base: Path = Path()) -> Config:
    """Turn the loaded document into a configuration; relative paths are below *base*.

    Raises:
        BadInputError: With all mistakes in it.
    """
    problems = list(_references(_Written(doc)))
    try:
        config = read(Config, doc, base=base)
    except BadInputError as exc:
        raise BadInputError([*exc.problems, *problems]) from None
    if problems:
        raise BadInputError(problems)
    return config


class _Written:
    """The lists of a document, whether all is right in them or not."""

    def __init__(self, doc: object) -> None:
        self._doc: Mapping[Any, Any] = doc if isinstance(doc, Mapping) else {}
        self._usual = asdict(Config())

    def rows(self, key: str) -> list[Mapping[Any, Any]]:
        """Return the entries of a list; the usual ones if it is not given."""
        rows = self._doc.get(key)
        rows = self._usual.get(key, ()) if rows is None else rows
        if not isinstance(rows, Sequence):
            return []
        return [each if isinstance(each, Mapping) else {} for each in map(given, rows)]

    def texts(self, key: str, name: str, usual: str | None = None) -> list[str | None]:
        """Return what each entry of a list says of *name*; None: nothing, or no text."""
        values = [row.get(name, usual) for row in self.rows(key)]
        return [value if isinstance(value, str) else None for value in values]

    def ids(self, key: str) -> list[str | None]:
        """Return the id of each entry, given or not."""
        if key == "faults":
            return [one or f"config-{i}" for i, one in enumerate(self.texts(key, "id"))]
        named = zip(self.texts(key, "id"), self.texts(key, "name"), strict=True)
        return [one or (name and stable_id(key.removesuffix("s"), name)) for one, name in named]

    def projects(self) -> set[str]:
        """Return the projects that anybody may use."""
        lists = [row.get("projects", ["demo"]) for row in self.rows("users")]
        return {str(one) for each in lists if isinstance(each, Sequence) for one in each}


def _references(written: _Written) -> Iterator[str]:
    """Tell of what is named and not there, and of what is there twice."""
    credentials, users = "application_credentials", written.texts("users", "name")
    for i, user in enumerate(written.texts(credentials, "user", "demo")):
        if user is not None and user not in users:
            yield f"{credentials}[{i}].user: no user {user!r}"
    projects = written.projects()
    for key, usual in ((credentials, "demo"), ("images", None), ("networks", None)):
        for i, project in enumerate(written.texts(key, "project", usual)):
            nobodys = project is not None and project not in projects
            if nobodys and (project or usual):  # an image without one is everybody's
                yield f"{key}[{i}].project: no user has the project {project!r}"
    for key in ("users", "flavors", "networks"):
        twice = _twice(written.texts(key, "name"))
        yield from (f"{key}: {name!r} is there twice" for name in twice)
    for key in ("flavors", "images", "faults"):
        yield from (f"{key}: the id {one!r} is there twice" for one in _twice(written.ids(key)))


def _twice(words: list[str | None]) -> list[str]:
    return [word for word in dict.fromkeys(words) if word is not None and words.count(word) > 1]
