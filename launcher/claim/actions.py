"""What a plan may do to our provider's claims on requests."""

from dataclasses import dataclass
from typing import Final

from launcher.lanes import Kinds, on_requests
from launcher.node.actions import Intent
from remuda.model.ids import RequestId


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Take a request for a pool of ours, and write the intents it needs, in one transaction."""

    request: RequestId
    pool: str
    intents: tuple[Intent, ...]
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DropClaim:
    """Forget the claim on a request that is gone or no longer pending."""

    request: RequestId


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptClaim:
    """Take over the claim, and the request's lock, of a replica that died."""

    request: RequestId


#: In which threads each kind of action is done, and what it keeps busy meanwhile.
KINDS: Final[Kinds] = on_requests(Claim, AdoptClaim, DropClaim)
