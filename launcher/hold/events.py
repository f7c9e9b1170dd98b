"""What becomes of looks at held machines."""

from dataclasses import dataclass

from launcher.hold.view import Visit
from remuda.model.ids import NodeId


@dataclass(frozen=True, slots=True, kw_only=True)
class LookedIn:
    """Somebody looked who is logged in on a held machine, or could not."""

    node: NodeId
    visit: Visit
