"""Networks by name: Nova takes only their ids."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from remuda.cloud.api import BadOrderError
from remuda.cloud.cache import TtlCache
from remuda.cloud.images import near_names
from remuda.cloud.wire import Wire
from remuda.runtime.clock import Clock

#: Networks are made and renamed by people, rarely.
TTL_S: Final = 300.0
_FIELDS: Final = ("id", "name", "router:external", "is_default")


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A network that the account can see.

    Attributes:
        external: Floating IPs come from here.
        default: The cloud's own choice among the external ones.
    """

    id: str
    name: str
    external: bool = False
    default: bool = False


class Networks:
    """The networks of an account, remembered for a while."""

    def __init__(self, wire: Wire, *, clock: Clock) -> None:
        self._wire = wire
        self._cache = TtlCache[str, tuple[Network, ...]](ttl_s=TTL_S, clock=clock)

    def ids(self, wanted: Iterable[str]) -> tuple[str, ...]:
        """Return the ids of networks given by name or id, in order.

        Ids are passed on unseen: no call if all are ids, one otherwise unless it is remembered.

        Raises:
            BadOrderError: If a name is unknown, or means several networks.
        """
        return tuple(each if _is_id(each) else self._id_of(each) for each in wanted)

    def external(self) -> tuple[Network, ...]:
        """Return those that floating IPs come from, the cloud's default first."""
        found = (each for each in self._all() if each.external)
        return tuple(sorted(found, key=lambda each: (not each.default, each.name, each.id)))

    def forget(self) -> None:
        """Ask again next time."""
        self._cache.clear()

    def _id_of(self, name: str) -> str:
        found = [each.id for each in self._all() if each.name == name]
        if not found:
            # It may have been made since; a wrong name costs this call each time.
            self.forget()
            found = [each.id for each in self._all() if each.name == name]
        if len(found) == 1:
            return found[0]
        if found:
            raise BadOrderError(
                f"{len(found)} networks are named {name!r}: use one of their ids,"
                f" {', '.join(sorted(found))}"
            )
        near = near_names(name, (each.name for each in self._all()))
        raise BadOrderError(f"there is no network {name!r}; {near}")

    def _all(self) -> tuple[Network, ...]:
        return self._cache.get("all", self._load)

    def _load(self) -> tuple[Network, ...]:
        docs = self._wire.pages("network", ("networks",), "networks", {"fields": _FIELDS})
        return tuple(
            Network(
                id=doc["id"],
                name=doc.get("name") or "",
                external=bool(doc.get("router:external")),
                default=bool(doc.get("is_default")),
            )
            for doc in docs
        )


def _is_id(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
