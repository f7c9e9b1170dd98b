"""What is kept of machines that fail, beside the last hundred in ZooKeeper: which, and where."""

import re
from pathlib import PurePosixPath
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from remuda.config.base import Duration, Named, Section, SizeMib
from remuda.config.parts import Pattern
from remuda.config.units import WrongValueError

#: As strict as the door of the object store is.
_CONTAINER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,254}", re.ASCII)
_PREFIX: Final = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}(?:/[A-Za-z0-9][A-Za-z0-9_.-]{0,62}){0,7}"
)
_PATH_CHARS_MAX: Final = 1024


def _container(value: str) -> str:
    if not _CONTAINER.fullmatch(value):
        raise WrongValueError(
            "is no name of a container: letters, digits, '.', '_' and '-', at most 255",
            hint="write remuda-capsules, for example",
        )
    return value


def _prefix(value: str) -> str:
    if not _PREFIX.fullmatch(value):
        raise WrongValueError(
            "is no prefix: names of letters, digits, '.', '_' and '-' with slashes between them",
            hint="write capsules, for example",
        )
    return value


def _absolute(value: str) -> str:
    path = PurePosixPath(value)
    if not path.is_absolute() or ".." in path.parts or not path.name or "\0" in value:
        raise WrongValueError(
            "is no absolute path of a folder", hint="write /var/lib/remuda/capsules, for example"
        )
    if len(value) > _PATH_CHARS_MAX:
        raise WrongValueError("is too long", hint="write a shorter path")
    return value


class CapsuleFolder(Section):
    """A folder of the launcher's host."""

    path: Annotated[str, AfterValidator(_absolute)] = Field(
        description="Is made if it is not there, for nobody else to read; with others' rights in "
        "it nothing is stored there. Several launchers may share it."
    )
    max_size: SizeMib = Field(
        default=2048, ge=1, description="Of all capsules in it: the oldest go to make room."
    )
    keep: Duration | None = Field(
        default=30 * 86_400.0, ge=60, description="Older ones are removed; null: only for room."
    )


class CapsuleSwift(Section):
    """A container of an object store."""

    cloud: Named = Field(description="Name in clouds.yaml: any account that has an object store.")
    region: Named | None = Field(
        default=None, description="Region; null: the one that clouds.yaml names."
    )
    container: Annotated[str, AfterValidator(_container)] = Field(
        default="remuda-capsules",
        description="Is made, private, if it is not there; in one that everybody may read nothing "
        "is stored.",
    )
    prefix: Annotated[str, AfterValidator(_prefix)] = Field(
        default="capsules", description="Before the name of each object."
    )
    keep: Duration | None = Field(
        default=30 * 86_400.0,
        ge=60,
        le=10 * 366 * 86_400,
        description="The store deletes them by itself after that; null: never.",
    )


class Capsules(Section):
    """What is kept of failed launches, and of failed jobs."""

    logs: bool = Field(
        default=True,
        description="Read the logs of cloud-init and the end of the journal, with the launcher's "
        "own login, once a machine has failed and before it is deleted.",
    )
    jobs: tuple[Pattern, ...] = Field(
        default=(),
        description="Labels whose failed jobs leave a capsule as well: regular expressions, each "
        "for a whole name. What jobs do is in the journal.",
    )
    folder: CapsuleFolder | None = Field(default=None, description="Keep whole capsules here.")
    swift: CapsuleSwift | None = Field(default=None, description="And, or, there.")
