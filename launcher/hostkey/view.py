"""What the brain remembers of the host key of a held machine; only its thread changes it."""

from dataclasses import dataclass

from remuda.model.heldkey import HostKeyChange


@dataclass(frozen=True, slots=True, kw_only=True)
class HostKeyNews:
    """What a visit has brought, as long as the record does not say so.

    Attributes:
        before: What was on record at that time: news of anything else are none.
        after: What it is to be.
    """

    before: HostKeyChange | None
    after: HostKeyChange
