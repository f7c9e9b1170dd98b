"""What we know of a node's server: states, what moves them, and one total table."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class ServerState(StrEnum):
    """How sure it is that a node has a server, and which one."""

    UNASKED = "unasked"  # none is known, and we have not asked for one
    ASKED = "asked"  # we have sent a create call
    DOUBTFUL = "doubtful"  # none is known: the call had no answer, or its sender died
    HINTED = "hinted"  # only the launch record names one
    ASKED_HINTED = "asked, hinted"  # the same, and a create call may have made another
    HINT_DELETING = "hinted, deleting"  # the cloud took a delete call for the one that it names
    CONFIRMED = "confirmed"  # the cloud itself said which is the node's
    DELETING = "deleting"  # the same, and it took a delete call for it


class ServerEvent(StrEnum):
    """What changes that."""

    SENT = "sent"  # a create call of ours is under way
    REFUSED = "refused"  # the cloud made nothing, or the call was never sent
    UNANSWERED = "unanswered"  # nobody knows whether the call made a server
    ADOPTED = "adopted"  # taken over: whether a server was asked for, its last owner knew
    REGAINED = "regained"  # taken over by the process that wrote the intent: it knows
    NAMED = "named"  # the launch record names a server, another one than before
    CONFIRMED = "confirmed"  # the cloud names it, by its answer or by our tags in a listing
    REPLACED = "replaced"  # the cloud names another one than what we took for it
    ACCEPTED = "accepted"  # the cloud took a delete call for it, or said that it is gone
    MISTAKEN = "mistaken"  # the cloud says that the one the record names is not the node's


class IllegalServerStepError(AssertionError):
    """Our own bug: something was taken in that cannot happen in this state."""


_S, _E = ServerState, ServerEvent
#: What cannot happen: :class:`IllegalServerStepError`.
_NEVER: Final = None

#: Every state and every event. Whatever comes late, or from another's record, changes nothing that
#: the cloud has said.
SERVER_TABLE: Final[Mapping[ServerState, Mapping[ServerEvent, ServerState | None]]] = {
    _S.UNASKED: {
        _E.SENT: _S.ASKED,
        _E.REFUSED: _S.UNASKED,
        _E.UNANSWERED: _S.DOUBTFUL,
        _E.ADOPTED: _S.DOUBTFUL,
        _E.REGAINED: _S.UNASKED,
        _E.NAMED: _S.HINTED,
        _E.CONFIRMED: _S.CONFIRMED,
        _E.REPLACED: _NEVER,
        _E.ACCEPTED: _NEVER,
        _E.MISTAKEN: _NEVER,
    },
    _S.ASKED: {
        _E.SENT: _NEVER,
        _E.REFUSED: _S.UNASKED,
        _E.UNANSWERED: _S.DOUBTFUL,
        _E.ADOPTED: _S.DOUBTFUL,
        _E.REGAINED: _S.ASKED,
        _E.NAMED: _S.ASKED_HINTED,
        _E.CONFIRMED: _S.CONFIRMED,
        _E.REPLACED: _NEVER,
        _E.ACCEPTED: _NEVER,
        _E.MISTAKEN: _NEVER,
    },
    _S.DOUBTFUL: {
        _E.SENT: _NEVER,
        _E.REFUSED: _S.DOUBTFUL,
        _E.UNANSWERED: _S.DOUBTFUL,
        _E.ADOPTED: _S.DOUBTFUL,
        _E.REGAINED: _S.ASKED,
        _E.NAMED: _S.ASKED_HINTED,
        _E.CONFIRMED: _S.CONFIRMED,
        _E.REPLACED: _NEVER,
        _E.ACCEPTED: _NEVER,
        _E.MISTAKEN: _NEVER,
    },
    _S.HINTED: {
        _E.SENT: _NEVER,
        _E.REFUSED: _S.HINTED,
        _E.UNANSWERED: _S.ASKED_HINTED,
        _E.ADOPTED: _S.HINTED,
        _E.REGAINED: _S.HINTED,
        _E.NAMED: _S.HINTED,
        _E.CONFIRMED: _S.CONFIRMED,
        _E.REPLACED: _S.CONFIRMED,
        _E.ACCEPTED: _S.HINT_DELETING,
        _E.MISTAKEN: _S.UNASKED,
    },
    _S.ASKED_HINTED: {
        _E.SENT: _NEVER,
        _E.REFUSED: _S.HINTED,
        _E.UNANSWERED: _S.ASKED_HINTED,
        _E.ADOPTED: _S.ASKED_HINTED,
        _E.REGAINED: _S.ASKED_HINTED,
        _E.NAMED: _S.ASKED_HINTED,
        _E.CONFIRMED: _S.CONFIRMED,
        _E.REPLACED: _S.CONFIRMED,
        _E.ACCEPTED: _S.HINT_DELETING,
        _E.MISTAKEN: _S.ASKED,
    },
    _S.HINT_DELETING: {
        _E.SENT: _NEVER,
        _E.REFUSED: _S.HINT_DELETING,
        _E.UNANSWERED: _S.HINT_DELETING,
        _E.ADOPTED: _S.HINT_DELETING,
        _E.REGAINED: _S.HINT_DELETING,
        _E.NAMED: _S.ASKED_HINTED,
        _E.CONFIRMED: _S.DELETING,
        _E.REPLACED: _S.CONFIRMED,
        _E.ACCEPTED: _S.HINT_DELETING,
        _E.MISTAKEN: _S.ASKED,
    },
    _S.CONFIRMED: {
        _E.SENT: _NEVER,
        _E.REFUSED: _S.CONFIRMED,
        _E.UNANSWERED: _S.CONFIRMED,
        _E.ADOPTED: _S.CONFIRMED,
        _E.REGAINED: _S.CONFIRMED,
        _E.NAMED: _S.CONFIRMED,
        _E.CONFIRMED: _S.CONFIRMED,
        _E.REPLACED: _S.CONFIRMED,
        _E.ACCEPTED: _S.DELETING,
        _E.MISTAKEN: _NEVER,
    },
    _S.DELETING: {
        _E.SENT: _NEVER,
        _E.REFUSED: _S.DELETING,
        _E.UNANSWERED: _S.DELETING,
        _E.ADOPTED: _S.DELETING,
        _E.REGAINED: _S.DELETING,
        _E.NAMED: _S.DELETING,
        _E.CONFIRMED: _S.DELETING,
        _E.REPLACED: _S.CONFIRMED,
        _E.ACCEPTED: _S.DELETING,
        _E.MISTAKEN: _NEVER,
    },
}


def step(state: ServerState, event: ServerEvent) -> ServerState:
    """Return the state after *event*.

    Raises:
        IllegalServerStepError: If that cannot happen.
    """
    after = SERVER_TABLE[state][event]
    if after is None:
        raise IllegalServerStepError(f"a server that is {state!s}: {event!s} cannot happen")
    return after
