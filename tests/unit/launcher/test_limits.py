"""The limits hold in any world that hypothesis finds, and judging changes nothing."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from launcher.world import World
from remuda.cloud.api import Quota
from remuda.model.launch import Step
from remuda.model.request import RequestState
from tests.unit.launcher.test_demand import intents
from tests.unit.launcher.worlds import (
    FLAVORS,
    NOW,
    add_claim,
    add_node,
    add_request,
    think,
    world,
)

LABELS = st.lists(st.sampled_from(("small", "large")), min_size=1, max_size=4)


@st.composite
def crowded(draw: st.DrawFn) -> World:
    """Return a world with any limits, nodes and requests."""
    limit = st.none() | st.integers(0, 12)
    pools = {
        name: {
            "max-servers": draw(limit),
            "max-cores": draw(limit),
            "max-ram": draw(st.none() | st.sampled_from(("4GiB", "16GiB"))),
        }
        for name in ("main", "side")
    }
    made = world(
        labels={"small": {"min-ready": draw(st.integers(0, 6)), "recheck": None}},
        pools=pools,
        **{"max-concurrency": draw(st.integers(0, 8))},
    )
    made.cloud.quota = draw(
        st.none() | st.builds(Quota, instances_max=st.integers(0, 15), cores_max=st.integers(0, 30))
    )
    steps = st.sampled_from((Step.PLANNED, Step.BOOTING, Step.DONE, Step.CONDEMNED))
    for number in range(draw(st.integers(0, 6))):
        add_node(
            made,
            number,
            label=draw(st.sampled_from(("small", "large"))),
            pool=draw(st.sampled_from(("main", "side"))),
            step=draw(steps),
        )
    for number in range(draw(st.integers(0, 8))):
        seen_s = NOW.mono_s - draw(st.sampled_from((0.0, 100.0)))
        claimed = draw(st.booleans())
        view = add_request(
            made,
            number,
            *draw(LABELS),
            seen_s=seen_s,
            reuse=draw(st.booleans()),
            state=RequestState.PENDING if claimed else RequestState.REQUESTED,
        )
        if claimed:
            add_claim(made, view, pool=draw(st.sampled_from(("main", "side"))))
    return made


@settings(max_examples=150, deadline=None)
@given(crowded())
def test_no_plan_exceeds_any_limit(made: World) -> None:
    """Whatever there is and whatever is wanted: what a plan starts fits into all limits."""
    new = intents(think(made))
    total = Counter[str]()
    for name, pool in made.policy.pools.items():
        used = made.nodes.usage[name]
        mine = [one for one in new if one.pool == name]
        more = Counter(
            instances=len(mine),
            cores=sum(FLAVORS[one.label].cores for one in mine),
            ram_mib=sum(FLAVORS[one.label].ram_mib for one in mine),
        )
        total.update(more)
        total.update(instances=used.instances, cores=used.cores)
        for resource, n in more.items():
            limit = getattr(pool.limits, resource)
            assert not n or limit is None or getattr(used, resource) + n <= limit
    quota = made.cloud.quota
    if new and quota is not None:
        assert total["instances"] <= (quota.instances_max or 0)
        assert total["cores"] <= (quota.cores_max or 0)
    assert not new or made.nodes.making + len(new) <= made.policy.config.max_concurrency


@settings(max_examples=60, deadline=None)
@given(crowded())
def test_a_plan_judges_without_changing_the_world(made: World) -> None:
    """The same world gives the same plan again."""
    first, second = think(made), think(made)

    assert first.actions == second.actions
    assert first.verdicts == second.verdicts
