"""What hands return: every action ends in exactly one event, whatever happened.

Only :class:`~launcher.node.events.ScriptBegun` comes in between.
"""

from collections.abc import Callable

from launcher.actions import Action
from launcher.capsule.events import CapsuleStored, CapsuleTold
from launcher.guest.events import GuestTried, KeysFetched, KeysSet
from launcher.hold.events import LookedIn
from launcher.hostkey.events import HostKeyTried
from launcher.node.events import EvidenceCollected, IdsDrawn, Probed, Proved, ScriptBegun
from launcher.provider.events import Rescued, Surveyed, Tidied
from launcher.server.events import (
    Addressed,
    Created,
    Deleted,
    LeakDeleted,
    LeakSpared,
    Listed,
    PortsFound,
)
from remuda.frame.work import Finished, HandCrashed, Written
from remuda.membership.membership import Registered

Event = (
    Finished[Action, "Event"]
    | Written[Action]
    | IdsDrawn
    | Created
    | Listed
    | PortsFound
    | Deleted
    | LeakDeleted
    | LeakSpared
    | Surveyed
    | Addressed
    | ScriptBegun
    | Proved
    | Probed
    | GuestTried
    | KeysSet
    | KeysFetched
    | HostKeyTried
    | LookedIn
    | EvidenceCollected
    | CapsuleStored
    | CapsuleTold
    | Rescued
    | Registered
    | Tidied
    | HandCrashed[Action]
)

#: Has the work of an action done.
Submit = Callable[[Action, Callable[[], Event]], None]
