"""The indices of nodes and queue equal a recount from scratch, whatever happened."""

from collections import Counter
from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from launcher.contradictions import contradictions
from launcher.lanes import machine
from launcher.node.actions import Condemn
from launcher.node.end import Deletion, End
from launcher.node.index import NodeIndex
from launcher.request.queue import Queue
from launcher.world import World
from remuda.model.ids import NodeId, ServerId
from remuda.model.launch import Step
from remuda.model.node import NodeState
from remuda.model.request import RequestState
from tests.unit.launcher.worlds import add_claim, add_node, add_request, world

NUMBERS = st.integers(0, 5)
STATES = st.sampled_from(list(NodeState))
STEPS = st.sampled_from(list(Step))


class Changes(RuleBasedStateMachine):
    """Random changes of a world, each followed by what production code calls after it."""

    def __init__(self) -> None:
        super().__init__()
        self.made: World = world(pools={"main": {}, "side": {}})

    @rule(
        number=NUMBERS,
        label=st.sampled_from(("small", "large")),
        pool=st.sampled_from(("main", "side")),
        step=STEPS,
        state=STATES,
        request=st.none() | NUMBERS,
        alone=st.booleans(),
    )
    def put(  # noqa: PLR0917 - hypothesis names them
        self,
        number: int,
        label: str,
        pool: str,
        step: Step,
        state: NodeState,
        request: int | None,
        alone: bool,  # noqa: FBT001
    ) -> None:
        """A node appears or changes."""
        allocated = None if request is None else f"200-{request:010d}"
        add_node(
            self.made,
            number,
            label=label,
            pool=pool,
            step=step,
            state=state,
            allocated_to=allocated,
            launch={"for_request": allocated if alone else None, "volume_gib": number},
        )

    @rule(
        number=NUMBERS, what=st.sampled_from(("busy", "stale", "dying", "lock", "server", "node"))
    )
    def touch(self, number: int, what: str) -> None:
        """What only we know of a node changes."""
        view = self.made.nodes.views.get(NodeId(f"{number:010d}"))
        if view is None:
            return
        if what == "busy":
            hand = machine(view.id)
            if hand in self.made.busy:
                self.made.busy.give_up(hand)
            else:
                self.made.busy.enter(hand, Condemn(node=view.id, cause="x"))
        elif what == "lock":
            self.made.nodes.locks[view.id] = view.lock.contenders ^ {"user"}
            self.made.nodes.learn_lock(view)
        elif what == "server":
            view.server.confirm(ServerId(f"another {number}"))
        elif what == "node":
            view.node = None
        elif what == "dying":
            view.end = End() if view.dying else End(deletion=Deletion())
        else:
            setattr(view, what, not getattr(view, what))
        self.made.touch_node(view)

    @rule(number=NUMBERS)
    def remove_records(self, number: int) -> None:
        """A node goes."""
        self.made.drop_node(NodeId(f"{number:010d}"))

    @rule(
        number=NUMBERS,
        labels=st.lists(st.sampled_from(("small", "large")), min_size=1, max_size=3),
        state=st.sampled_from(list(RequestState)),
        relative=st.integers(0, 3),
        reuse=st.booleans(),
    )
    def ask(
        self,
        number: int,
        labels: list[str],
        state: RequestState,
        relative: int,
        reuse: bool,  # noqa: FBT001
    ) -> None:
        """A request appears or changes."""
        known = self.made.queue.views.get(f"200-{number:010d}")  # type: ignore[call-overload]
        if known is None:
            add_request(
                self.made, number, *labels, state=state, relative_priority=relative, reuse=reuse
            )
            return
        known.request = replace(known.request, state=state, relative_priority=relative)
        self.made.touch_request(known)

    @rule(number=NUMBERS, pool=st.sampled_from(("main", "side", None)))
    def claim(self, number: int, pool: str | None) -> None:
        """A claim comes or goes."""
        view = self.made.queue.views.get(f"200-{number:010d}")  # type: ignore[call-overload]
        if view is None:
            return
        if pool is None:
            self.made.queue.claims.pop(view.id, None)
            self.made.touch_request(view)
        else:
            add_claim(self.made, view, pool=pool)

    @rule(number=NUMBERS)
    def cancel(self, number: int) -> None:
        """A request goes."""
        self.made.queue.forget(f"200-{number:010d}")  # type: ignore[arg-type]

    @invariant()
    def nothing_contradicts_itself(self) -> None:
        """What the simulation asks after every turn."""
        assert not contradictions(self.made)

    @invariant()
    def nodes_equal_a_recount(self) -> None:
        """Every index of nodes."""
        fresh = NodeIndex()
        for view in self.made.nodes.views.values():
            fresh.views[view.id] = view
            fresh.reindex(view)
        index = self.made.nodes

        assert +fresh.coming == +index.coming
        assert fresh.being_made == index.being_made
        assert {pool: one for pool, one in fresh.held.items() if one} == {
            pool: one for pool, one in index.held.items() if one
        }
        assert +fresh.dedicated == +index.dedicated
        assert +fresh.states == +index.states
        assert dict(fresh.allocated) == {k: v for k, v in index.allocated.items() if v}
        assert fresh.total() == index.total()
        mine = {key: set(free) for key, free in index.free.items() if free}
        assert {key: set(free) for key, free in fresh.free.items() if free} == mine
        assert all(
            view.allocatable
            for free in index.free.values()
            for view in (index.views[node] for node in free)
        )

    @invariant()
    def queue_equals_a_recount(self) -> None:
        """Every index of requests."""
        fresh = Queue()
        fresh.claims = self.made.queue.claims
        for view in self.made.queue.views.values():
            fresh.views[view.id] = view
            fresh.reindex(view)
        queue = self.made.queue
        waiting = sorted(
            (view for view in queue.views.values() if view.waiting), key=lambda view: view.order
        )

        assert waiting == list(queue.in_order())
        assert list(range(1, len(waiting) + 1)) == [queue.position(view) for view in waiting]
        assert +fresh.needed == +queue.needed
        for label in ("small", "large"):
            wanting = [view for view in waiting if label in view.request.labels]
            assert wanting == list(queue.wanting(label))


Changes.TestCase.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
TestIndices = Changes.TestCase


def test_nodes_on_their_way_are_counted_by_what_they_are_for() -> None:
    """Promised ones are made, but not coming to anybody else."""
    made = world()
    add_node(made, 1, step=Step.BOOTING)
    add_node(made, 2, step=Step.PROVING, allocated_to="200-1", launch={"for_request": "200-1"})

    assert Counter({("main", "small"): 1}) == +made.nodes.coming
    assert made.nodes.making == 2
    assert dict(made.nodes.dedicated) == {("200-1", "small"): 1}
    assert made.nodes.usage["main"].instances == 2
