"""What a launcher remembers of the keys of people on a held machine, until its record says it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from remuda.model.hold import HoldKey
from remuda.model.publickey import PublicKey


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysView:
    """Of one machine.

    Attributes:
        tried: What became of the wish called *token*, and is not on record yet.
        given_up: They could not be taken off before the deletion, and are not tried again.
        fetched: What URLs of developers gave, or why they did not; for the wishes of now.
    """

    token: str | None = None
    tried: tuple[HoldKey, ...] = ()
    given_up: bool = False
    fetched: Mapping[str, tuple[PublicKey, ...] | str] = field(default_factory=dict)


#: Of nearly all machines.
NO_KEYS: Final = KeysView()
