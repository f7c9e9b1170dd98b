"""What may be done next with recipes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from builder.lanes import Lane, own_id
from remuda.frame.work import WorkKind


@dataclass(frozen=True, slots=True)
class ReadRecipes:
    """Read the files that recipes copy anew: what they hold is part of what is made."""

    id: str = "recipes"


#: In which lane each is done, and what it keeps busy.
KINDS: Final[Mapping[type, WorkKind[Lane]]] = {ReadRecipes: WorkKind(Lane.READ, own_id)}
