"""What is kept of a request that nobody could serve, for its requestor deletes it at once."""

from dataclasses import replace
from typing import Any

from launcher.provider.hand_tidying import tidy
from launcher.request import writes as request_writes
from launcher.request.actions import Decline
from launcher.request.view import RequestView
from launcher.world import World
from remuda.frame.work import Written
from remuda.model import request as requests
from remuda.model.failedrequest import (
    KEPT_MAX,
    KEPT_S,
    REASON_CHARS_MAX,
    REASONS_KEY,
    FailedRequest,
    decode_failed,
)
from remuda.model.job import Job
from remuda.model.request import REQUEST_BYTES_MAX, RequestState
from remuda.store import paths
from remuda.store.api import Create, Delete
from tests.fakes.clock import ManualClock
from tests.fakes.cloud import FakeCloud
from tests.fakes.store import FakeStore, FakeZookeeper
from tests.unit.launcher.works import Works
from tests.unit.launcher.worlds import NOW, add_pool, add_request, of_kind, think, world

DATA = {"job_name": "unit", "pipeline_name": "check"}


class Office:
    """A ZooKeeper with one request that launchers of several providers look at."""

    def __init__(self, *labels: str, **fields: Any) -> None:
        self.clock = ManualClock()
        self.store: FakeStore = FakeZookeeper(self.clock).connect()
        self.store.ensure(paths.REQUESTS, paths.REQUEST_LOCKS, paths.FAILED_REQUESTS)
        view = add_request(world(), 1, *labels, requestor="zuul", created_s=5.0)
        doc = {**view.request.doc, "requestor_data": DATA, "created_time": 5.0, **fields}
        raw = requests.encode(replace(view.request, doc=doc))
        self.id = view.id
        self.store.commit([Create(path=paths.request(view.id), data=raw)])

    def decline(self, made: World, why: str) -> RequestState:
        """Have a launcher decline what lies there now, and return what becomes of it."""
        stored = self.store.read(paths.request(self.id))
        assert stored is not None
        request = requests.decode(self.id, stored.value)
        view = RequestView(id=self.id, request=request, version=stored.version, seen_s=0.0)
        self.store.commit(request_writes.decline(made, view, why, now_s=NOW.wall_s))
        return self.request.state

    @property
    def request(self) -> requests.Request:
        """The record as it is."""
        stored = self.store.read(paths.request(self.id))
        assert stored is not None
        return requests.decode(self.id, stored.value)

    @property
    def kept(self) -> list[FailedRequest]:
        """What is kept of it."""
        names = self.store.children(paths.FAILED_REQUESTS)
        found = self.store.read_many([f"{paths.FAILED_REQUESTS}/{name}" for name in names])
        pairs = zip(names, found, strict=True)
        return [decode_failed(name, stored.value) for name, stored in pairs if stored is not None]


def two_providers() -> tuple[World, World]:
    """Return the worlds of a launcher here and one there, each of which sees both pools."""
    here, there = world(), world()
    object.__setattr__(there.policy, "provider", "there")
    for made in (here, there):
        add_pool(made, "there", "main", "small")
    there.pool_ids = {"main": "id-there-main"}
    return here, there


def test_what_everybody_said_is_kept_in_the_transaction_that_fails_it() -> None:
    """The last one to decline has it all from the request itself."""
    here, there = two_providers()
    office = Office("small", "small", "big")

    first = office.decline(here, "no pool makes big")
    before = office.kept
    last = office.decline(there, "too large")
    (kept,) = office.kept

    assert (first, before, last) == (RequestState.REQUESTED, [], RequestState.FAILED)
    assert (kept.request, kept.at_s, kept.provider) == (office.id, NOW.wall_s, "there")
    assert kept.labels == {"small": 2, "big": 1}
    assert (kept.requestor, kept.created_s) == ("zuul", 5.0)
    assert kept.job == Job(job="unit", pipeline="check")
    assert kept.reasons == {"here": "no pool makes big", "there": "too large"}


def test_a_reason_is_bounded_and_makes_no_request_too_large() -> None:
    """Others could serve it still; what is kept has the reason all the same."""
    here, _ = two_providers()
    office = Office("small")
    office.decline(here, "x" * 10_000)
    assert len(office.request.doc[REASONS_KEY]["here"]) == REASON_CHARS_MAX

    office = Office("small")
    room = REQUEST_BYTES_MAX - len(requests.encode(office.request))
    alone = world()
    office = Office("small", padding="p" * (room - 100))
    office.decline(alone, "it does not fit" * 20)

    assert office.request.unfit is None
    assert REASONS_KEY not in office.request.doc
    assert [one.reasons for one in office.kept] == [{"here": "it does not fit" * 20}]


def test_nonsense_for_reasons_is_left_out() -> None:
    """Anybody may write it into a request."""
    for nonsense in ("text", [1], {"a" * 300: "x", "there": 7, "ok": "fine"}):
        office = Office("small", **{REASONS_KEY: nonsense})
        office.decline(world(), "no")
        (kept,) = office.kept
        assert set(kept.reasons) <= {"here", "ok"}
        assert kept.reasons[kept.provider] == "no"


def test_an_unknown_label_is_told_like_any_other_reason() -> None:
    """By the launcher's own judgement."""
    made = world()
    add_request(made, 1, "smal")
    (decline,) = of_kind(think(made), Decline)

    assert decline.cause == "no pool makes smal"


def test_a_name_that_is_taken_keeps_no_request_from_failing() -> None:
    """ZooKeeper makes each unique."""
    office = Office("small")
    for name in (office.id, f"{office.id}.", f"{office.id}.0000000000"):
        office.store.commit([Create(path=f"{paths.FAILED_REQUESTS}/{name}", data=b"nonsense")])

    assert office.decline(world(), "no") is RequestState.FAILED


def test_a_process_keeps_only_so_many_however_fast_they_fail() -> None:
    """Between two rounds of tidying."""
    made = world()
    works = Works(made)
    works.store.ensure(paths.FAILED_REQUESTS)
    for number in range(KEPT_MAX + 5):
        create = Create(path=f"{paths.FAILED_REQUESTS}/x.", sequence=True)
        written = Written(
            action=Decline(request=add_request(made, number).id, cause="no"),
            result=works.store.commit([create]),
        )
        made.queue.forget(written.action.request)  # type: ignore[union-attr]  # deleted already
        works.hear(written, NOW)
    while works.store.wire.has_news:
        works.store.wire.deliver_one()
    left = works.store.children(paths.FAILED_REQUESTS)

    assert len(left) == KEPT_MAX
    assert min(left) == "x.0000000005"


def test_tidying_forgets_what_is_old_and_more_than_are_kept() -> None:
    """Whoever wrote it; without the folder there is nothing to do."""
    clock = ManualClock()
    store, cloud = FakeZookeeper(clock).connect(), FakeCloud(clock)

    def tidied() -> int:
        result = tidy(
            *(store, cloud, "here"),
            mine=(),
            ended_servers=(),
            seen=(),
            ports=False,
            floating_ips=False,
            now_s=clock.now_s(),
        )
        return result.removed

    assert tidied() == 0
    store.ensure(paths.FAILED_REQUESTS)
    for _ in range(2):
        store.commit([Create(path=f"{paths.FAILED_REQUESTS}/9-old.", sequence=True)])
    clock.advance(KEPT_S - 1)
    for _ in range(KEPT_MAX - 1):
        store.commit([Create(path=f"{paths.FAILED_REQUESTS}/1-new.", sequence=True)])

    assert tidied() == 1
    assert "9-old.0000000000" not in store.children(paths.FAILED_REQUESTS)
    clock.advance(2)
    assert tidied() == 1
    assert len(store.children(paths.FAILED_REQUESTS)) == KEPT_MAX - 1


def test_what_is_kept_is_written_with_the_request_or_not_at_all() -> None:
    """One transaction."""
    office = Office("small")
    view = RequestView(id=office.id, request=office.request, version=7, seen_s=0.0)
    ops = request_writes.decline(world(), view, "no", now_s=1.0)

    assert [op.sequence for op in ops if isinstance(op, Create) and op.sequence] == [True]
    assert not any(isinstance(op, Delete) and op.path == paths.FAILED_REQUESTS for op in ops)
