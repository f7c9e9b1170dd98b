"""The developers of a site, by name: whose keys may be put onto held machines."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Final

from pydantic import AfterValidator, BeforeValidator, Field

from remuda.config.base import Choice, HostFile, Section
from remuda.config.units import WrongValueError
from remuda.model.publickey import TEXT_BYTES_MAX, PublicKey, PublicKeyError, parse_keys
from remuda.ssh.urls import KeyUrlError, check_url

_HINT: Final = "write a line as in a .pub file: ssh-ed25519 AAAA… without options"


def _keys(value: str | None) -> str | None:
    try:
        if value is not None:
            parse_keys(value)
    except PublicKeyError as error:
        raise WrongValueError(str(error), hint=_HINT, private=True) from None
    return value


def _url(value: str | None) -> str | None:
    try:
        if value is not None:
            check_url(value)
    except KeyUrlError as error:
        raise WrongValueError(
            str(error), hint="write for example https://forge.example.org/ada.keys", private=True
        ) from None
    return value


def _by_key(value: object) -> object:
    return {"key": value} if isinstance(value, str) else value


class Developer(Section):
    """Where the public keys of one developer are."""

    choices: ClassVar[tuple[Choice, ...]] = (Choice(("key", "file", "url")),)

    key: Annotated[str | None, AfterValidator(_keys)] = Field(
        default=None, description="Public key, a line as in a .pub file; up to eight lines."
    )
    file: Annotated[str | None, HostFile(fills="key", bytes_max=TEXT_BYTES_MAX)] = Field(
        default=None, description="The same, from a file; relative to the configuration."
    )
    url: Annotated[str | None, AfterValidator(_url)] = Field(
        default=None,
        description="The same from https, as forges give them at https://HOST/USER.keys; fetched "
        "by the launcher each time that it is needed.",
    )


#: How a developer is written: a key, or the section.
DeveloperFrom = Annotated[
    Developer, BeforeValidator(_by_key, json_schema_input_type=str | Developer)
]

#: The keys of a developer, or the URL that has them.
Keys = tuple[PublicKey, ...] | str


def developers_of(configured: Mapping[str, Developer]) -> Mapping[str, Keys]:
    """Return the keys of each developer, or where they are."""
    return {
        name: one.url if one.url is not None else parse_keys(one.key or "")
        for name, one in configured.items()
    }
