"""What may be done next to be seen."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from builder.lanes import Lane, own_id
from remuda.frame.work import WorkKind


@dataclass(frozen=True, slots=True)
class Publish:
    """Show what we are, and why what we judge waits."""

    data: bytes
    id: str = "status"


#: In which lane each is done, and what it keeps busy.
KINDS: Final[Mapping[type, WorkKind[Lane]]] = {Publish: WorkKind(None, own_id)}
