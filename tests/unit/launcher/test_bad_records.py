"""Whatever lies in ZooKeeper, a launcher goes on: nothing raises in a whole turn of its brain."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launcher.provider.events import Rescued
from launcher.provider.hand_rescuing import rescue
from remuda.model.launch import Step
from remuda.model.node import NodeState
from remuda.store import paths
from remuda.store.api import Create
from tests.fakes.store import FakeZookeeper
from tests.support.badrecords import (
    DOCS,
    NODE,
    PLACES,
    REQUEST,
    SEEN,
    Bad,
    bad_docs,
    bad_records,
    changed,
    raw_of,
)
from tests.unit.launcher.reading import FOLDED, live_through

#: Combinations that are right by themselves.
STATES = st.sampled_from([*NodeState])
STEPS = st.sampled_from([*Step])


@pytest.mark.parametrize("bad", [one for one in SEEN if one.kind in FOLDED], ids=str)
def test_no_record_that_was_seen_to_end_a_launcher_does(bad: Bad) -> None:
    """Among right ones, over right ones, and when they are gone again."""
    live_through({bad.kind: bad.raw})


@settings(max_examples=250, derandomize=True, deadline=None)
@given(st.fixed_dictionaries({}, optional={kind: bad_records(kind) for kind in FOLDED}))
def test_no_record_ends_a_launcher(records: dict[str, bytes]) -> None:
    """Any wrong values in any records together."""
    live_through(records)


@settings(max_examples=250, derandomize=True, deadline=None)
@given(STATES, STEPS, st.sampled_from(["requested", "pending", "fulfilled", "failed"]), st.data())
def test_no_combination_of_states_ends_a_launcher(
    state: str, step: str, wanted: str, data: st.DataObject
) -> None:
    """Each record is right, but together they make no sense: a node in init that is proven, say."""
    node = changed(DOCS["node"], "state", state)
    promised = data.draw(st.sampled_from([None, REQUEST, "200-0000000009"]))
    owner = data.draw(st.sampled_from(["me", "dead"]))
    live_through(
        {
            "node": raw_of({**node, "allocated_to": promised}),
            "launch": raw_of({**DOCS["launch"], "step": step, "owner": owner}),
            "request": raw_of(
                {
                    **DOCS["request"],
                    "state": wanted,
                    "reuse": data.draw(st.booleans()),
                    "nodes": data.draw(st.sampled_from([[], [NODE]])),
                }
            ),
            "claim": raw_of({**DOCS["claim"], "owner": owner}),
        }
    )


@settings(max_examples=100, derandomize=True, deadline=None)
@given(request=bad_docs("request"), claim=bad_records("claim"))
def test_the_dead_can_be_succeeded_whatever_they_left(
    request: dict[str, Any], claim: bytes
) -> None:
    """The hand that gives back what they had claimed reads for itself."""
    store = FakeZookeeper().connect()
    claims = paths.claim("there", REQUEST)
    store.ensure(paths.REQUESTS, paths.claims("there"))
    pending = raw_of({**request, "state": "pending"})
    store.commit([Create(path=PLACES["request"], data=pending), Create(path=claims, data=claim)])

    assert isinstance(rescue(store, "there", now_s=7.0), Rescued)
