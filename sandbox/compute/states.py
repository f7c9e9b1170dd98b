"""The states of a server, as one table.

Names are Nova's ``status``; ``vm_state`` and ``power_state`` follow from them
(nova/api/openstack/common.py, ``_STATE_MAP``).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class ServerState(StrEnum):
    """What Nova shows as ``status``."""

    BUILD = "BUILD"
    ACTIVE = "ACTIVE"
    SHUTOFF = "SHUTOFF"
    REBOOT = "REBOOT"
    HARD_REBOOT = "HARD_REBOOT"
    ERROR = "ERROR"
    DELETED = "DELETED"


class ServerEvent(StrEnum):
    """What moves a server on."""

    BUILT = "built"
    FAILED = "failed"
    STOPPED = "stopped"  # asked for, or the machine went down by itself
    STARTED = "started"
    SOFT_REBOOT = "soft reboot"
    HARD_REBOOT = "hard reboot"
    DELETED = "deleted"


class IllegalTransitionError(AssertionError):
    """Our own bug: a step the table does not have."""


_S, _E = ServerState, ServerEvent
_UP: Final = {
    _E.STOPPED: _S.SHUTOFF,
    _E.FAILED: _S.ERROR,
    _E.DELETED: _S.DELETED,
    _E.SOFT_REBOOT: _S.REBOOT,
    _E.HARD_REBOOT: _S.HARD_REBOOT,
}
SERVER_TABLE: Final[Mapping[ServerState, Mapping[ServerEvent, ServerState]]] = {
    _S.BUILD: {_E.BUILT: _S.ACTIVE, _E.FAILED: _S.ERROR, _E.DELETED: _S.DELETED},
    _S.ACTIVE: _UP,
    _S.SHUTOFF: {
        _E.STARTED: _S.ACTIVE,
        _E.FAILED: _S.ERROR,
        _E.DELETED: _S.DELETED,
        _E.HARD_REBOOT: _S.HARD_REBOOT,
        _E.STOPPED: _S.SHUTOFF,
    },
    _S.REBOOT: {_E.STARTED: _S.ACTIVE, **_UP},
    _S.HARD_REBOOT: {_E.STARTED: _S.ACTIVE, **_UP},
    # A failed delete leaves ERROR; deleting again works, and so does a hard reboot.
    # One that ran before can be stopped.
    _S.ERROR: {
        _E.FAILED: _S.ERROR,
        _E.DELETED: _S.DELETED,
        _E.HARD_REBOOT: _S.HARD_REBOOT,
        _E.STOPPED: _S.SHUTOFF,
    },
    _S.DELETED: {},
}

VM_STATES: Final[Mapping[ServerState, str]] = {
    _S.BUILD: "building",
    _S.ACTIVE: "active",
    _S.SHUTOFF: "stopped",
    _S.REBOOT: "active",
    _S.HARD_REBOOT: "active",
    _S.ERROR: "error",
    _S.DELETED: "deleted",
}
#: nova.compute.power_state: 0 NOSTATE, 1 RUNNING, 4 SHUTDOWN.
POWER_STATES: Final[Mapping[ServerState, int]] = {
    _S.BUILD: 0,
    _S.ACTIVE: 1,
    _S.SHUTOFF: 4,
    _S.REBOOT: 1,
    _S.HARD_REBOOT: 1,
    _S.ERROR: 0,
    _S.DELETED: 0,
}


def step(state: ServerState, event: ServerEvent) -> ServerState:
    """Return the state after *event*.

    Raises:
        IllegalTransitionError: If the table has no such edge.
    """
    try:
        return SERVER_TABLE[state][event]
    except KeyError:
        raise IllegalTransitionError(f"server in {state}: no edge {event}") from None
