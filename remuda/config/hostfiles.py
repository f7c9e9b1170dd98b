"""The files of this host that a configuration names: found, read in, or looked at."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Final

from remuda.config.base import HostFile, Section, switch
from remuda.config.document import Path
from remuda.config.recipes import WrittenRecipes
from remuda.config.report import Report
from remuda.config.shape import Found, Shape, sections, shapes
from remuda.config.sources import Sources, UnreadableError, located
from remuda.config.trees import survey

#: Mode bits that let others than the owner's group read a file.
_OTHERS_READ: Final = 0o004
#: Sections whose files only builders use.
_OF_BUILDERS: Final = (("images",), ("image-defaults",), ("image-signing",))


@dataclass(frozen=True, slots=True)
class HostFiles:
    """Looks after the host files of one configuration.

    Attributes:
        folder: Relative names start here: the configuration's own folder.
        provider: The only provider this process serves, None: all. What another one lacks, or a
            builder, is only warned of: its keys may well lie on another host.
    """

    folder: FilePath
    sources: Sources
    report: Report
    provider: str | None = None
    _launched: set[Path] = field(default_factory=set, init=False, repr=False)

    def resolve(self, model: type[Section], data: object) -> None:
        """Make every file name of *data* absolute, in place, and fill in the texts of files."""
        self._launched.update(_launched(data, self.provider))
        for found in list(sections(model, data)):
            for shape in shapes(found.model).values():
                value = found.raw.get(shape.key)
                if shape.host_file is not None and isinstance(value, str):
                    self._resolve_one(found, shape, shape.host_file, value)

    def complain(self, path: Path) -> Callable[..., None]:
        """Return how to report something that *path* lacks on this host."""
        foreign = path[:1] == ("providers",) and self.provider not in (None, *path[1:2])
        return self.report.warning if foreign or self._is_builders(path) else self.report.problem

    def _is_builders(self, path: Path) -> bool:
        """Whether what *path* names need not be on this host: only builders make images."""
        ours = path[:1] in _OF_BUILDERS and self.provider is not None
        return ours and not any(path[: len(one)] == one for one in self._launched)

    def _resolve_one(self, found: Found, shape: Shape, mark: HostFile, value: str) -> None:
        path = (*found.path, shape.key)
        if not value.strip():  # else it would mean the configuration's own folder
            self.report.problem(path, "is empty", "write the name of a file, or leave the key out")
            found.raw[shape.key] = None if shape.nullable else value
            return
        try:
            file = located(value, self.folder)
            found.raw[shape.key] = str(file)
            if mark.tree:
                self._survey(path, file)
            elif mark.fills is None:
                self._look_at(path, file, mark)
            else:
                text = self._text(path, file, mark)
                if found.raw.get(mark.fills) is None:
                    found.raw[mark.fills] = text
        except UnreadableError as error:
            self.complain(path)(path, f"{value!r} {error}", _hint(value, self.folder))

    def _look_at(self, path: Path, file: FilePath, mark: HostFile) -> None:
        mode = self.sources.probe(file)
        if mark.secret and mode & _OTHERS_READ:
            self.report.warning(
                path, f"everybody on this host may read {str(file)!r}", f"chmod o= {file}"
            )

    def _survey(self, path: Path, top: FilePath) -> None:
        if self._is_builders(path):  # a large one would be looked at for nothing
            return
        self.sources.note(top, lambda: survey(top))
        if self.provider is not None:
            # By what stands there a launcher tells builds of this recipe from others.
            for entry in survey(top):
                file = top / entry.path
                self.sources.note(file, lambda file=file: _stamp(file))  # type: ignore[misc]

    def _text(self, path: Path, file: FilePath, mark: HostFile) -> str:
        text = self.sources.read(file, bytes_max=mark.bytes_max)
        if not text.strip():
            self.report.warning(path, f"{str(file)!r} is empty")
        return text


def _launched(data: object, provider: str | None) -> set[Path]:
    """Return the sections of images that the launchers of *provider* need themselves.

    They run the steps, and tell by all checks, too, whether a build is of the recipe of now.
    """
    written = WrittenRecipes.of(data)
    mine = [
        name
        for name in written.images
        if written.on_demand(name) and provider in written.chosen(name)
    ]
    found: set[Path] = {("images", name) for name in mine}
    if any(switch(written.images[name].get("default-steps")) is not False for name in mine):
        found.add(("image-defaults", "steps"))
    if mine:
        found |= {("image-defaults", key) for key in ("checks", "checks-before")}
    if any(switch(written.value("offline", name, str(provider))) for name in mine):
        found.add(("image-defaults", "offline-checks"))
    return found


def _stamp(file: FilePath) -> tuple[int, int]:
    try:
        found = file.lstat()
    except OSError as error:
        raise UnreadableError(str(error.strerror)) from None
    return found.st_mtime_ns, found.st_ctime_ns


def _hint(value: str, folder: FilePath) -> str:
    relative = not value.startswith(("/", "~"))
    return f"looked for in {folder}" if relative else ""
