"""What is known of a node's server: one total table, and a view that never contradicts itself."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launcher.server.state import (
    SERVER_TABLE,
    IllegalServerStepError,
    ServerEvent,
    ServerState,
    step,
)
from launcher.server.view import ServerView
from remuda.cloud.api import Port, Server, ServerStatus
from remuda.model.ids import ServerId

EVERY = [(state, event) for state in ServerState for event in ServerEvent]
#: Nobody has named a server.
NAMELESS = {ServerState.UNASKED, ServerState.ASKED, ServerState.DOUBTFUL}
#: The cloud itself has.
SURE = {ServerState.CONFIRMED, ServerState.DELETING}
#: What only our own bug could bring: a second create call; an answer about a server without a name;
#: the cloud's word against its own.
NEVER = {
    *((state, ServerEvent.SENT) for state in ServerState if state is not ServerState.UNASKED),
    *(
        (state, event)
        for state in NAMELESS
        for event in (ServerEvent.REPLACED, ServerEvent.ACCEPTED, ServerEvent.MISTAKEN)
    ),
    *((state, ServerEvent.MISTAKEN) for state in SURE),
}


def server(name: str, status: ServerStatus = ServerStatus.ACTIVE) -> Server:
    """Return a server as a listing shows it."""
    return Server(id=ServerId(name), name="np", status=status)


@pytest.mark.parametrize(("state", "event"), EVERY, ids=[f"{a}, {b}" for a, b in EVERY])
def test_the_table_is_total(state: ServerState, event: ServerEvent) -> None:
    """Every event in every state leads somewhere, or is our own bug and says so."""
    assert event in SERVER_TABLE[state]
    if (state, event) in NEVER:
        with pytest.raises(IllegalServerStepError, match=f"{event} cannot happen"):
            step(state, event)
    else:
        assert step(state, event) in ServerState


@pytest.mark.parametrize("state", sorted(SURE))
def test_what_the_cloud_has_said_nobody_takes_back(state: ServerState) -> None:
    """Neither a record, nor whoever takes the node over."""
    after = {step(state, event) for event in ServerEvent if (state, event) not in NEVER}

    assert after <= SURE


@pytest.mark.parametrize("state", sorted(NAMELESS))
def test_only_who_knows_that_nothing_was_made_goes_back_to_unasked(state: ServerState) -> None:
    """From there the cloud would be asked, or the records be removed at once."""
    back = [
        event
        for event in ServerEvent
        if (state, event) not in NEVER and step(state, event) is ServerState.UNASKED
    ]
    kept = [ServerEvent.REFUSED, ServerEvent.REGAINED]

    assert back == {ServerState.UNASKED: kept, ServerState.ASKED: kept[:1]}.get(state, [])


def test_every_state_can_be_reached() -> None:
    """None is there in vain."""
    reached = {ServerState.UNASKED}
    while more := {
        after
        for state in reached
        for after in SERVER_TABLE[state].values()
        if after is not None and after not in reached
    }:
        reached |= more

    assert reached == set(ServerState)


NAMES = st.sampled_from(["one", "another", "a third"])
CHANGES: st.SearchStrategy[Callable[[ServerView], object]] = st.one_of(
    st.just(ServerView.send_create),
    st.just(ServerView.create_refused),
    st.just(ServerView.create_unanswered),
    st.integers(0, 9).map(lambda listing: lambda view: view.create_answered(listing)),
    st.tuples(st.integers(0, 9), st.booleans()).map(
        lambda drawn: lambda view: view.adopt(drawn[0], created_here=drawn[1])
    ),
    NAMES.map(lambda name: lambda view: view.hint(ServerId(name))),
    NAMES.map(lambda name: lambda view: view.confirm(ServerId(name))),
    NAMES.map(lambda name: lambda view: view.show(server(name))),
    st.integers(0, 9).map(lambda listing: lambda view: view.accept_delete(listing)),
    st.just(ServerView.mistake),
)


@given(st.lists(CHANGES, max_size=30))
def test_whatever_happens_a_view_does_not_contradict_itself(
    changes: list[Callable[[ServerView], object]],
) -> None:
    """State, name and sighting belong together; what cannot happen changes nothing."""
    view = ServerView()
    for change in changes:
        before = (view.state, view.id, view.shown, view.asked_in)
        try:
            change(view)
        except IllegalServerStepError:
            assert (view.state, view.id, view.shown, view.asked_in) == before

        assert (view.id is None) == (view.state in NAMELESS)
        assert view.surely_ours == (view.state in SURE)
        assert view.unasked == (view.state is ServerState.UNASKED)
        assert view.doubtful == (view.state is ServerState.DOUBTFUL)
        assert view.shown is None or (view.surely_ours and view.shown.id == view.id)
        assert view.status is (None if view.shown is None else ServerStatus.ACTIVE)


#: What each state says: unasked, doubtful, surely ours, deletion taken.
ANSWERS = {
    ServerState.UNASKED: (True, False, False, False),
    ServerState.ASKED: (False, False, False, False),
    ServerState.DOUBTFUL: (False, True, False, False),
    ServerState.HINTED: (False, False, False, False),
    ServerState.ASKED_HINTED: (False, False, False, False),
    ServerState.HINT_DELETING: (False, False, False, True),
    ServerState.CONFIRMED: (False, False, True, False),
    ServerState.DELETING: (False, False, True, True),
}


@pytest.mark.parametrize("state", ServerState)
def test_each_state_answers_what_is_asked_of_it(state: ServerState) -> None:
    """Nobody looks at the state itself."""
    view = ServerView(state=state)
    told = (view.unasked, view.doubtful, view.surely_ours, view.delete_accepted)

    assert told == ANSWERS[state]
    assert view.status is None


def seen() -> ServerView:
    """Return a server of which everything is known that goes with it."""
    view = ServerView(asked_in=3)
    view.show(server("one"))
    view.port = Port(id="port", server=ServerId("one"), ipv4="10.0.0.5")
    view.released, view.lifeless = True, 1
    view.accept_delete(4)
    return view


def test_what_was_asked_of_one_server_was_not_asked_of_another() -> None:
    """The cloud names another one: deletion, port and floating IP are to be seen to anew."""
    view = seen()
    view.confirm(ServerId("another"))

    assert (view.state, view.id, view.shown) == (ServerState.CONFIRMED, "another", None)
    assert (view.port, view.released, view.lifeless) == (None, False, 0)


def test_the_same_server_again_is_no_news() -> None:
    """A deletion that the cloud took stays taken."""
    view = seen()
    view.show(server("one", ServerStatus.DELETING))
    assert view.status is ServerStatus.DELETING
    view.hint(ServerId("one"))
    view.hint(ServerId("another"))

    assert (view.id, view.delete_accepted, view.released) == ("one", True, True)
    assert (view.port is None, view.lifeless) == (False, 1)


def test_a_mistaken_hint_leaves_what_we_know_of_the_call() -> None:
    """Whether one was asked for decides how soon its records may go."""
    asked, unasked = ServerView(), ServerView()
    asked.send_create()
    for view in (asked, unasked):
        view.hint(ServerId("one"))
        view.mistake()

    assert (asked.state, unasked.state) == (ServerState.ASKED, ServerState.UNASKED)
    assert (asked.id, unasked.id) == (None, None)


def test_who_takes_a_node_over_knows_of_a_call_only_if_the_intent_was_its_own() -> None:
    """Else one may have been sent; and only a listing that is begun afterwards tells."""
    ours, anothers = ServerView(), ServerView()
    ours.adopt(7, created_here=True)
    anothers.adopt(7, created_here=False)

    assert (ours.unasked, anothers.doubtful) == (True, True)
    assert (ours.asked_in, anothers.asked_in) == (7, 7)


def test_what_a_create_call_came_to() -> None:
    """Nothing, so that it may be asked for again; nobody knows; or the cloud has said."""
    refused, unanswered, made = ServerView(), ServerView(), ServerView(lifeless=1)
    for view in (refused, unanswered, made):
        view.send_create()
        view.create_answered(6)
    refused.create_refused()
    unanswered.create_unanswered()
    made.confirm(ServerId("one"))

    assert (refused.unasked, unanswered.doubtful, made.surely_ours) == (True, True, True)
    assert (made.id, made.asked_in, made.lifeless) == ("one", 6, 0)
