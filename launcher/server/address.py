"""What the brain remembers of the way to a node's server."""

from dataclasses import dataclass, replace
from typing import Final

from launcher.node.end import Refusal
from remuda.cloud.api import FloatingIp


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressView:
    """The floating IP of a node, if its pool gives one.

    Attributes:
        floating_ip: The one that we gave it.
        reached_s: When that was given, by the wall clock: before, no login was possible.
        untried: We made the server, and surely nobody has asked for a floating IP for it yet.
        refusal: Why the last attempt to give it one failed, or None.
    """

    floating_ip: FloatingIp | None = None
    reached_s: float | None = None
    untried: bool = False
    refusal: Refusal | None = None

    def given(self, floating_ip: FloatingIp, at_s: float) -> "AddressView":
        """Return it with a floating IP that was given at *at_s*."""
        return replace(self, floating_ip=floating_ip, reached_s=at_s, refusal=None)


#: Of most nodes: nobody gave a floating IP, as far as we know.
NO_FLOATING_IP: Final = AddressView()
