"""What all parts of the configuration are made of: sections, names, units, marks.

A *mark* is metadata of a key that says something pydantic has no word for. The loader, the JSON
Schema and the reference read the marks through ``remuda.config.shape``.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)

from remuda.config.units import (
    DURATION_PATTERN,
    SHARE_PATTERN,
    SIZE_PATTERN,
    WrongValueError,
    parse_duration,
    parse_share,
    parse_size,
)
from remuda.model.installation import PATTERN as INSTALLATION_PATTERN
from remuda.model.tags import TRIALS

#: Label, provider and pool names appear in znode names, metric names and server metadata.
NAME_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"
#: What Nova takes as the value of a metadata item, in characters (its schema of ``POST /servers``).
METADATA_LENGTH_MAX: Final = 255
#: What it takes as the name of one.
METADATA_NAME_PATTERN: Final = r"^[A-Za-z0-9_:. -]{1,255}$"
#: So many items a server may have, if nobody has changed Nova's quota (``metadata_items``).
METADATA_ITEMS_MAX: Final = 128
#: Nova, Neutron and Glance keep no longer names.
CLOUD_NAME_CHARS_MAX: Final = 255

_METADATA_NAME: Final = re.compile(METADATA_NAME_PATTERN.strip("^$"))
#: Line ends and other control characters: of a block of YAML, or pasted along.
_CONTROLS: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})

_SWITCHES: Final[Mapping[str, bool]] = {
    **dict.fromkeys(("true", "yes", "on"), True),
    **dict.fromkeys(("false", "no", "off"), False),
}


class Unit(StrEnum):
    """Mark: how the number of this key is written."""

    DURATION = "duration"
    SIZE = "size"
    SHARE = "share"


class AsWritten:
    """Mark: free text, where ``${NAME}`` belongs to a shell and not to us."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFile:
    """Mark: the value names a file of this host, relative to the configuration's folder.

    Attributes:
        fills: Key of the same section that gets the file's text; None if it is not read.
        bytes_max: Largest file that is read, bytes.
        secret: Others than its owner should not be able to read it.
        tree: A folder with all below it is as good.
    """

    fills: str | None = None
    bytes_max: int = 0
    secret: bool = False
    tree: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """How many of some keys a section must have.

    Attributes:
        least: At least so many.
        most: At most so many; None: any number.
    """

    keys: tuple[str, ...]
    least: int = 1
    most: int | None = 1


def dashed(name: str) -> str:
    """Return the key in the file of the attribute *name*."""
    return name.replace("_", "-")


def _choices_schema(schema: dict[str, Any], section: type["Section"]) -> None:
    rules = [rule for choice in section.choices for rule in _rules(choice)]
    if rules:
        schema["allOf"] = rules


def _rules(choice: Choice) -> list[dict[str, object]]:
    each: list[dict[str, object]] = [{"required": [key]} for key in choice.keys]
    if choice.most is None:
        return [{"anyOf": each}]
    if choice.least:
        return [{"oneOf": each}]
    return [{"not": {"required": list(choice.keys)}}]


class Section(BaseModel):
    """A mapping of the file; unknown keys are errors.

    Class attributes:
        choices: Rules over several keys; the loader checks them in the file, before the text of
            files is filled in.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=dashed,
        validate_by_name=True,
        validate_by_alias=True,
        json_schema_extra=_choices_schema,
    )
    choices: ClassVar[tuple[Choice, ...]] = ()

    @model_validator(mode="before")
    @classmethod
    def _nothing_is_all_defaults(cls, value: object) -> object:
        """Take ``small:`` with nothing behind it for a section that changes no default."""
        return {} if value is None else value


def switch(value: object) -> bool | None:
    """Return what pydantic would take the bool or word *value* for; None if it is no switch."""
    if isinstance(value, str):
        return _SWITCHES.get(value.lower())
    return value if isinstance(value, bool) else None


def _whole(value: object) -> object:
    if isinstance(value, bool):  # pydantic would take yes for 1
        raise WrongValueError("is not a whole number", hint="write digits only")
    return value


def _plain_number(value: object) -> object:
    if isinstance(value, bool):
        raise WrongValueError("is not a number", hint="write for example 10 or 0.5")
    return value


def _name_in_cloud(value: str) -> str:
    if not value.strip():
        raise WrongValueError("is empty", hint="write a name, or leave the key out")
    if any(unicodedata.category(each) in _CONTROLS for each in value):
        raise WrongValueError(
            "has a line end or another control character in it", hint="write it in one line"
        )
    if len(value) > CLOUD_NAME_CHARS_MAX:
        raise WrongValueError(
            f"is longer than {CLOUD_NAME_CHARS_MAX} characters", hint="no cloud has such a name"
        )
    return value


def _trimmed(value: str) -> str:
    if value != value.strip():
        raise WrongValueError(
            "begins or ends with a blank", hint=f"write {value.strip()!r}; Nova refuses others"
        )
    return value


def _metadata_name(value: str) -> str:
    if _METADATA_NAME.fullmatch(value) is None:
        raise WrongValueError(
            f"{value[:40]!r} is no name of metadata that Nova takes",
            hint="use 1 to 255 of A-Z, a-z, 0-9, '-', '_', ':', '.' and blanks",
        )
    return value


def _installation(value: str) -> str:
    if value == TRIALS:  # a launcher would write it into an empty ZooKeeper and never start again
        raise WrongValueError(
            "marks what `remuda cloud check` makes", hint="choose another id for the installation"
        )
    return value


Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    Unit.DURATION,
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0},
                {"type": "string", "pattern": DURATION_PATTERN},
            ]
        }
    ),
]
SizeMib = Annotated[
    int,
    BeforeValidator(parse_size),
    Unit.SIZE,
    WithJsonSchema(
        {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": SIZE_PATTERN}]}
    ),
]
Share = Annotated[
    float,
    BeforeValidator(parse_share),
    Unit.SHARE,
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0, "maximum": 1},
                {"type": "string", "pattern": SHARE_PATTERN},
            ]
        }
    ),
]
Whole = Annotated[int, BeforeValidator(_whole)]
Number = Annotated[float, BeforeValidator(_plain_number)]
Name = Annotated[str, Field(pattern=NAME_PATTERN)]
InstallationId = Annotated[str, Field(pattern=INSTALLATION_PATTERN), AfterValidator(_installation)]
_NAME_SCHEMA: Final = WithJsonSchema(
    {"type": "string", "minLength": 1, "maxLength": CLOUD_NAME_CHARS_MAX}
)
#: A name, or another short text, that means nothing when it is empty.
Named = Annotated[str, AfterValidator(_name_in_cloud), _NAME_SCHEMA]
#: The same where Nova itself looks at how it is written: key pairs, zones, security groups.
NovaNamed = Annotated[str, AfterValidator(_name_in_cloud), AfterValidator(_trimmed), _NAME_SCHEMA]
MetadataName = Annotated[
    str,
    AfterValidator(_metadata_name),
    WithJsonSchema({"type": "string", "pattern": METADATA_NAME_PATTERN}),
]
Metadata = dict[MetadataName, Annotated[str, Field(max_length=METADATA_LENGTH_MAX)]]
