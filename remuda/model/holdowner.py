"""For whom a node is held, and who may change that: one rule for machines and their images.

Names are unproven: the rule keeps people from slips, and nobody from lies.
"""

from dataclasses import dataclass
from typing import Final

from remuda.model.capture import requestor_of
from remuda.model.fields import one_line
from remuda.model.hold import Hold, HoldSource
from remuda.model.holdwish import OWNER_CHARS_MAX
from remuda.model.node import EPOCH_MS_FLOOR, Node

#: These name a job for which they hold a node. Nobody is called that, so that the node is still
#: of whoever had it in use: else nobody could change its hold.
_OF_JOBS: Final = frozenset({HoldSource.ZUUL, HoldSource.JENKINS})


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldFor:
    """For whom a machine, or the image that it has become, is held.

    Attributes:
        owner: For whom; empty: nobody is named.
        source: By whose word; None: that is not on record.
        requestor: Who had the node in use.
    """

    owner: str
    source: HoldSource | None
    requestor: str

    def is_of(self, name: str) -> bool:
        """Whether somebody may make it longer, end it, or open what is held.

        Operators may, too: who they are, the configuration says.
        """
        if _same(name, self.owner):
            return True
        unnamed = not self.owner or self.source is None or self.source in _OF_JOBS
        return unnamed and _same(name, self.requestor)


def _same(one: str, other: str) -> bool:
    """Whether two names are one: some have been through records that keep them short."""
    return one_line(one, OWNER_CHARS_MAX) == one_line(other, OWNER_CHARS_MAX)


def held_for(node: Node, hold: Hold | None) -> HeldFor:
    """Return for whom a node is held: by the word of its launcher, else as its record says."""
    if hold is None or hold.refused is not None:
        owner, source = owner_of(node), source_of(node)
    else:
        owner, source = hold.owner, hold.source
    return HeldFor(owner=owner, source=source, requestor=requestor_of(node))


def owner_of(node: Node) -> str:
    """Return for whom a node is held, as its record says."""
    for key in ("hold_job", "requestor"):
        name = node.doc.get(key)
        if isinstance(name, str) and name:
            return one_line(name, OWNER_CHARS_MAX)
    return ""


def source_of(node: Node) -> HoldSource:
    """Return who holds a node, by what each program writes into its record."""
    user = node.doc.get("user_data")
    if isinstance(user, dict) and "zuul_system" in user:
        return HoldSource.ZUUL
    if isinstance(node.doc.get("build_id"), str) or (node.hold_expiration or 0) > EPOCH_MS_FLOOR:
        return HoldSource.JENKINS
    return HoldSource.REQUESTOR
