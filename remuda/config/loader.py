"""Reads a configuration file into a value, or says everything that is wrong with it."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Final

from pydantic import ValidationError

from remuda.config.choices import check_choices
from remuda.config.clouds import check_clouds, name_clouds_file
from remuda.config.credential import check_credential
from remuda.config.crosscheck import check_whole
from remuda.config.document import Document, NotYamlError, parse
from remuda.config.environment import substitute
from remuda.config.exposure import check_exposure
from remuda.config.hostfiles import HostFiles
from remuda.config.imagecheck import check_images
from remuda.config.machinetexts import check_texts
from remuda.config.model import Config, UserConfig
from remuda.config.ondemandcheck import check_twins
from remuda.config.problems import ConfigInvalidError, Problem
from remuda.config.report import Report
from remuda.config.sources import CONFIG_BYTES_MAX, Sources, UnreadableError
from remuda.config.wording import translate
from remuda.known_secrets import KNOWN
from remuda.redaction import secret_values

#: Keys of the top level that begin so are a place for anchors, and otherwise ignored.
SCRATCH_PREFIX = "x-"
#: A file with one of these is meant for those who make nodes.
_OF_PROVIDERS: Final = frozenset({"labels", "providers", "images"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What came of reading a configuration file.

    Attributes:
        config: The value, or None if there are problems.
        files: Absolute names of all files that matter: the configuration itself, scripts, user
            data, clouds.yaml, keys; also those that could not be read.
        digest: Hash of their contents; of keys and certificates, which are only looked at, of
            whether they are there.
    """

    config: Config | None
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    files: tuple[str, ...]
    digest: str


def load(
    path: str | os.PathLike[str],
    *,
    provider: str | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Config:
    """Return the configuration in *path*; arguments as of ``read``.

    Raises:
        ConfigInvalidError: With every problem there is, if there is any.
    """
    reading = read(path, provider=provider, environ=environ)
    if reading.config is None:
        raise ConfigInvalidError(reading.problems, reading.warnings)
    return reading.config


def load_for_user(
    path: str | os.PathLike[str], *, environ: Mapping[str, str] = os.environ
) -> UserConfig:
    """Return what who only asks for nodes, and looks at them, needs to know.

    A file that says where ZooKeeper is, and nothing else, is enough for that. One that has
    providers must be good, and is returned as Config; what these need (keys, clouds) may well lie
    on other hosts.

    Raises:
        ConfigInvalidError: With every problem there is, if there is any.
    """
    config, reading = _read(path, "", environ, _no_closer_look, model=UserConfig)
    if config is None:
        raise ConfigInvalidError(reading.problems, reading.warnings)
    return config


def _no_closer_look(_data: object, _host: HostFiles) -> None:
    """Take files that are only looked at for what they should be."""


def read(
    path: str | os.PathLike[str],
    *,
    provider: str | None = None,
    environ: Mapping[str, str] = os.environ,
    look_closer: Callable[[object, HostFiles], None] = _no_closer_look,
) -> Reading:
    """Read *path* and all it refers to; never raises for what a file may hold.

    Args:
        path: The configuration file. Names in complaints begin with it as given.
        provider: The only provider this process serves: missing keys and clouds of the others
            are then warnings. None: all of them matter.
        environ: Where ``${NAME}`` comes from.
        look_closer: Reports what is wrong in files that are only looked at otherwise, see
            ``remuda.config.contents``.
    """
    return _read(path, provider, environ, look_closer, model=Config)[1]


def _read(
    path: str | os.PathLike[str],
    provider: str | None,
    environ: Mapping[str, str],
    look_closer: Callable[[object, HostFiles], None],
    *,
    model: type[UserConfig],
) -> tuple[UserConfig | None, Reading]:
    """Do what ``read`` does; *model* is what the file has to be at least."""
    sources = Sources()
    file = FilePath(os.path.abspath(path))  # noqa: PTH100 - resolve() would leave the link's folder
    name = os.fspath(path)
    try:
        document = parse(sources.read(file, bytes_max=CONFIG_BYTES_MAX))
    except UnreadableError as error:
        return None, _failed(Problem(file=name, message=f"this file {error}"), sources)
    except NotYamlError as error:
        line, column = error.place.line, error.place.column
        message = f"this file {error}"
        problem = Problem(file=name, line=line, column=column, message=message, hint=error.hint)
        return None, _failed(problem, sources)
    report = Report(name, document)
    host = HostFiles(file.parent, sources, report, provider)
    found = _understood(document, host, environ, look_closer, model)
    problems = report.problems()
    config = None if problems else found
    return config, Reading(
        config=config if isinstance(config, Config) else None,
        problems=problems,
        warnings=report.warnings(),
        files=sources.files,
        digest=sources.digest(),
    )


def _understood(
    document: Document,
    host: HostFiles,
    environ: Mapping[str, str],
    look_closer: Callable[[object, HostFiles], None],
    model: type[UserConfig],
) -> UserConfig | None:
    """Check all of *document*, reporting what is wrong; None if pydantic does not take it."""
    report = host.report
    for flaw in document.flaws:
        report.flaw(flaw)
    if document.data is None:
        report.problem((), "this file is empty", "it needs at least labels: and providers:")
        return None
    if not isinstance(document.data, dict):
        report.problem((), "this file is not a mapping", "it needs at least labels: and providers:")
        return None
    data = {k: v for k, v in document.data.items() if not k.startswith(SCRATCH_PREFIX)}
    if not data.keys().isdisjoint(_OF_PROVIDERS):
        model = Config
    hidden = substitute(model, data, environ, report)
    check_choices(model, data, report)
    name_clouds_file(data, host, environ)
    host.resolve(model, data)
    # User data and scripts hold passwords and tokens, and machines print what they are given.
    KNOWN.hold(f"configuration {report.file}", secret_values(data))
    check_texts(model, data, host)
    check_clouds(data, host, environ)
    check_credential(data, host, hidden)
    look_closer(data, host)
    check_whole(data, report)
    check_images(data, report)
    check_exposure(data, report)
    try:
        found = model.model_validate(data, by_alias=True, by_name=False)
    except ValidationError as error:
        translate(error, model, data, report, hidden)
        return None
    if isinstance(found, Config) and not report.problems():
        check_twins(found, report)
    return found


def _failed(problem: Problem, sources: Sources) -> Reading:
    return Reading(
        config=None,
        problems=(problem,),
        warnings=(),
        files=sources.files,
        digest=sources.digest(),
    )
