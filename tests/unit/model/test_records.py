"""The records in ZooKeeper: round trips, foreign writers, and tables without holes."""

import json
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remuda.model import capsule, codec, component, ids, launch, node, request, status
from remuda.model.build import (
    BUILD_TABLE,
    Build,
    BuildEvent,
    BuildState,
    IllegalBuildStepError,
    Why,
)
from remuda.model.codec import CorruptRecordError
from remuda.model.ids import NodeId, ReplicaId, RequestId, ServerId
from remuda.model.image import BuildId, UploadId
from remuda.model.launch import STEP_TABLE, IllegalLaunchStepError, Launch, Step, StepEvent
from remuda.model.node import NODE_TABLE, IllegalNodeStepError, Node, NodeEvent, NodeState
from remuda.model.request import (
    REQUEST_TABLE,
    REQUIRED_KEYS,
    IllegalRequestStepError,
    Request,
    RequestEvent,
    RequestState,
)
from remuda.model.upload import (
    UPLOAD_TABLE,
    IllegalUploadStepError,
    Upload,
    UploadEvent,
    UploadState,
)

REQUEST = RequestId("200-0000000007")
NODE = NodeId("3000000001")
BUILD = BuildId("debian", 12)
TEXT = st.text(max_size=20)
SECONDS = st.floats(0, 1e10, allow_nan=False)
FOREIGN = st.dictionaries(
    TEXT.map(lambda key: f"x-{key}"),
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**127), 2**127) | TEXT,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
        max_leaves=5,
    ),
    max_size=4,
)

JENKINS = b"""{"node_types":["debian"],"declined_by":[],"state_time":1.54E9,"reuse":true,
"requestor":"jenkins","state":"requested","nodes":[],"jenkins_label":"nodepool-debian",
"build_id":"folder/job#12"}"""


@given(FOREIGN, st.lists(TEXT, max_size=4), st.sampled_from(list(RequestState)), SECONDS)
def test_a_request_survives_the_round_trip(
    foreign: dict[str, Any], labels: list[str], state: RequestState, since_s: float
) -> None:
    """With all that other programs have written into it."""
    first = Request(
        id=REQUEST, state=state, labels=tuple(labels), state_time_s=since_s, doc=foreign
    )
    again = request.decode(REQUEST, request.encode(first))

    assert first == again
    assert {**again.doc, **foreign} == dict(again.doc)
    assert again.complete


@given(FOREIGN, st.sampled_from(list(NodeState)), SECONDS, st.none() | st.just(REQUEST))
def test_a_node_survives_the_round_trip(
    foreign: dict[str, Any], state: NodeState, since_s: float, request_id: RequestId | None
) -> None:
    """With all that other programs have written into it."""
    first = Node(
        id=NODE,
        state=state,
        labels=("small",),
        provider="p",
        pool="q",
        allocated_to=request_id,
        state_time_s=since_s,
        created_s=7.0,
        external_id="server",
        doc=foreign,
    )
    again = node.decode(NODE, node.encode(first))

    assert first == again
    assert {**again.doc, **foreign} == dict(again.doc)


@given(st.sampled_from(list(Step)), SECONDS, st.none() | st.text(min_size=1, max_size=255))
def test_a_launch_survives_the_round_trip(step: Step, when_s: float, text: str | None) -> None:
    """Every field of it."""
    first = Launch(
        id=NODE,
        pool="main",
        label="small",
        step=step,
        owner=ReplicaId("me"),
        planned_s=when_s,
        asked_by_s=when_s + 1,
        cores=1,
        ram_mib=2,
        volume_gib=3,
        az=text,
        for_request=None if text is None else RequestId(text),
        on_account_of=None if text is None else RequestId(text),
        server=ServerId("7f3c:a-1") if step is Step.DONE else None,
        host_keys=text,
        host_key=text,
        address=text,
        image_build=text,
        image_place=text,
        login_key=None if text is None else f"ssh-ed25519 {'A' * 68}",
        why=text,
        failed=text,
    )

    assert first == launch.decode(NODE, launch.encode(first))


def test_what_jenkins_leaves_out_and_how_it_writes_numbers() -> None:
    """Its own keys stay, the keys that Zuul insists on are added."""
    first = request.decode(RequestId("500-0000000001"), JENKINS)
    doc = json.loads(request.encode(first))

    assert (
        first.state_time_s,
        first.relative_priority,
        first.provider,
        first.reuse,
    ) == (1.54e9, 0, None, True)
    assert not first.complete
    assert set(REQUIRED_KEYS) <= set(doc)
    assert (doc["jenkins_label"], doc["build_id"]) == ("nodepool-debian", "folder/job#12")
    assert "tenant_name" not in doc


def test_whole_numbers_as_floats_are_read() -> None:
    """Jenkins writes 3 as 3.0, in exponent form when it is large."""
    found = request.decode(
        REQUEST, b'{"state":"requested","node_types":["a"],"relative_priority":3.0E0}'
    )

    assert found.relative_priority == 3


def test_integers_of_128_bits_are_written_back_exactly() -> None:
    """Zuul's trace ids."""
    trace = 183807099817182217139707996866423130118
    raw = codec.dump({"state": "requested", "requestor_data": {"span_info": {"trace_id": trace}}})
    again = request.encode(request.decode(REQUEST, raw))

    assert trace == json.loads(again)["requestor_data"]["span_info"]["trace_id"]


def test_priority_and_sequence_are_the_two_halves_of_the_id() -> None:
    """Three characters, a dash, ten digits."""
    found = Request(id=REQUEST, state=RequestState.REQUESTED, labels=())

    assert (found.priority, found.sequence) == ("200", "0000000007")


@pytest.mark.parametrize(
    ("written", "ends_s"),
    [
        (None, None),
        (0, None),
        (-5, None),
        (True, None),
        ("3600", None),
        (3600, 4600.0),
        (3.6e3, 4600.0),
        (1_800_000_000_000, 1.8e9),
        (1.8e12, 1.8e9),
    ],
)
def test_how_long_a_hold_lasts(written: object, ends_s: float | None) -> None:
    """Seconds from its beginning; Jenkins writes epoch milliseconds."""
    raw = codec.dump({"state": "hold", "state_time": 1000.0, "hold_expiration": written})
    found = node.decode(NODE, raw)

    assert ends_s == node.hold_ends_s(found)
    assert written == json.loads(node.encode(found))["hold_expiration"]


def test_a_new_node_has_the_keys_that_its_users_need() -> None:
    """Zuul loses a hold's expiry unless the key is there; Jenkins dies of null host keys."""
    doc = json.loads(node.encode(Node(id=NODE, state=NodeState.BUILDING, labels=("a",))))

    assert (
        doc["hold_expiration"],
        doc["host_keys"],
        doc["python_path"],
        doc["type"],
        doc["allocated_to"],
    ) == (None, [], "auto", ["a"], None)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[1]",
        b"7",
        b"{}",
        b'{"state":"lost"}',
        b"\xff",
        b'{"state": 3}',
        b"[" * 5000,
        b'{"a":"' + b"x" * 300_000 + b'"}',
    ],
)
@pytest.mark.parametrize(
    "decode",
    [
        request.decode,
        node.decode,
        launch.decode,
        status.decode_status,
        status.decode_verdict,
        capsule.decode_capsule,
        component.decode_pool,
    ],
)
def test_rubbish_is_refused_with_one_kind_of_error(decode: Any, raw: bytes) -> None:
    """Whatever lies there, readers can set it aside."""
    with pytest.raises(CorruptRecordError):
        decode("x", raw)


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(raw: bytes) -> None:
    """Random bytes, too."""
    for decode in (request.decode, node.decode, launch.decode, component.decode_replica):
        try:
            decode("x", raw)  # type: ignore[operator]
        except CorruptRecordError:
            continue


def test_a_launch_of_another_schema_is_not_guessed_at() -> None:
    """It belongs to a newer version."""
    with pytest.raises(CorruptRecordError, match="schema"):
        launch.decode(NODE, b'{"schema": 3}')


TABLES: list[tuple[Any, Any, Any, Any]] = [
    (REQUEST_TABLE, RequestState, RequestEvent, IllegalRequestStepError),
    (NODE_TABLE, NodeState, NodeEvent, IllegalNodeStepError),
    (STEP_TABLE, Step, StepEvent, IllegalLaunchStepError),
    (BUILD_TABLE, BuildState, BuildEvent, IllegalBuildStepError),
    (UPLOAD_TABLE, UploadState, UploadEvent, IllegalUploadStepError),
]


def record_in(state: StrEnum) -> Any:
    """Return a record in a state of any of the tables."""
    if isinstance(state, RequestState):
        return Request(id=REQUEST, state=state, labels=("a",))
    if isinstance(state, NodeState):
        return Node(id=NODE, state=state)
    if isinstance(state, BuildState):
        return Build(id=BUILD, state=state, why=Why.AGE, requested_s=1.0, since_s=1.0)
    if isinstance(state, UploadState):
        return Upload(id=UploadId(BUILD, "0" * 12), state=state, since_s=1.0)
    assert isinstance(state, Step)
    return Launch(
        id=NODE,
        pool="p",
        label="a",
        step=state,
        owner=ReplicaId("me"),
        planned_s=0.0,
        asked_by_s=0.0,
    )


@pytest.mark.parametrize(("table", "states", "events", "error"), TABLES)
def test_tables_are_total_and_the_only_way(
    table: Any, states: Any, events: Any, error: type[AssertionError]
) -> None:
    """Every state has a row; what is not in it raises, and changes nothing."""
    assert set(states) == set(table)
    for state in states:
        for event in events:
            record = record_in(state)
            now = {} if isinstance(state, Step) else {"now_s": 5.0}
            if event in table[state]:
                after = record.after(event, **now)
                assert table[state][event] == (
                    after.step if isinstance(state, Step) else after.state
                )
            else:
                with pytest.raises(error, match=str(state)):
                    record.after(event, **now)


def test_every_node_can_be_condemned_and_none_comes_back() -> None:
    """From deleting and deleted nothing leads anywhere else."""
    assert all(NodeEvent.CONDEMNED in row for row in NODE_TABLE.values())
    assert {NodeState.DELETING} == set(NODE_TABLE[NodeState.DELETING].values())
    assert {Step.CONDEMNED} == set(STEP_TABLE[Step.CONDEMNED].values())


@given(st.integers(0, 69_999_999))
def test_node_ids_have_ten_digits_above_all_sequences(block: int) -> None:
    """ZooKeeper's sequences end at 2^31."""
    found = ids.node_ids_of_block(block)

    assert len(set(found)) == ids.NODE_ID_BLOCK
    assert all(len(one) == 10 and int(one) > 2**31 for one in (found[0], found[-1]))


@pytest.mark.parametrize("block", [-1, 70_000_000])
def test_node_ids_end_somewhere(block: int) -> None:
    """Loudly."""
    with pytest.raises(ValueError, match="out of range"):
        ids.node_ids_of_block(block)


def test_status_verdict_failure_and_components_survive_the_round_trip() -> None:
    """What launchers tell each other and the operator."""
    told = status.ProviderStatus(
        provider="p",
        trouble="x",
        labels={"a": status.LabelStatus(ready=1, boot_s=2.5)},
        pools={"m": status.PoolStatus(instances=1)},
        quota={"cores": (1, None)},
        quota_seen_s=1.5,
    )
    verdict = status.Verdict(
        provider="p", ruling=status.Ruling.WAITING, reason="full", numbers={"n": 1}, at_s=1.0
    )
    report = capsule.Capsule(
        node="n",
        label="a",
        pool="m",
        result="error.ssh",
        why="no",
        at_s=1.0,
        request="200-0000000001",
        transcript=(
            {
                "step": "login",
                "name": "login",
                "seconds": 0.5,
                "ok": False,
                "why": "no",
                "output": "x",
            },
        ),
    )
    pool = component.PoolComponent(id="i", hostname="h", provider="p", pool="m", labels=("a",))
    replica = component.Replica(
        id=ReplicaId("r"), hostname="h", pid=1, version="1", started_s=2.0, url="http://x"
    )

    assert told == status.decode_status("p", status.encode_status(told))
    assert verdict == status.decode_verdict("p", status.encode_verdict(verdict))
    assert report == capsule.decode_capsule("n", capsule.encode_capsule(report))
    assert pool == component.decode_pool("/p", component.encode_pool(pool))
    assert replica == component.decode_replica(ReplicaId("r"), component.encode_replica(replica))
