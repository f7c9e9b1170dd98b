"""The commands that only look."""

import gc
import re
import time
from collections import Counter

import click
import pytest

from remuda.cli.deleting import delete
from remuda.cli.explaining import explain
from remuda.cli.failures import failures
from remuda.cli.output import age, limit
from remuda.cli.overview import nodes, pools, requests, status
from remuda.model.ids import RequestId
from remuda.model.node import NodeState
from remuda.model.status import LabelStatus, PoolStatus, Ruling
from remuda.moments import lasting
from remuda.store import paths
from remuda.store.api import Create
from requestor.commands.request import request
from tests.support.commands import CommandHarness
from tests.support.counting import calls
from tests.support.standin import NOW_S

#: A list of a thousand nodes must not make a person wait; generous for a busy test machine.
#: Of the cost of ten times as much; what is quadratic reaches a hundred.
GROWTH_MAX = 40.0
#: Functions of the store that wait for an answer; those of many answers wait once.
_ASKING = ("read", "read_each", "read_many", "read_fresh", "children", "children_each")


def test_nodes_are_listed_with_what_matters(harness: CommandHarness) -> None:
    """Id, state, label, provider, address, and why a node is held."""
    node_id = harness.launcher.ready_node()
    held = harness.launcher.ready_node(
        "big", state=NodeState.HOLD, hold_job="ada", comment="test failed", connection_port=2222
    )
    result = harness.call(nodes)

    assert result.exit_code == 0
    head, first, second = result.stdout.splitlines()
    assert head.split()[:4] == ["ID", "STATE", "LABEL", "PROVIDER"]
    assert first.split()[:6] == [node_id, "ready", "small", "alpha", "main", "127.77.0.2"]
    assert second.split()[:2] == [held, "hold"]
    assert "127.77.0.2:2222" in second
    assert "ada: test failed" in second


def test_nodes_can_be_chosen(harness: CommandHarness) -> None:
    """By state, label, provider and id, together."""
    small = harness.launcher.ready_node("small")
    harness.launcher.ready_node("big")
    used = harness.launcher.ready_node("small", state=NodeState.USED)

    def ids(*words: str) -> list[str]:
        return [one["id"] for one in harness.json(nodes, *words)]

    assert ids("--label", "small") == [small, used]
    assert ids("--label", "small", "--state", "ready") == [small]
    assert ids("--provider", "beta") == []
    assert ids(used) == [used]


def test_json_of_a_node_has_the_documented_keys(harness: CommandHarness) -> None:
    """Scripts rely on them."""
    harness.launcher.ready_node()
    (one,) = harness.json(nodes)

    assert one["host_keys"][0].startswith("ssh-ed25519 ")
    assert {"id", "state", "label", "provider", "pool", "address", "port", "user"} <= set(one)
    assert one["hold_ends_at_s"] is None


def test_an_unknown_node_is_one_sentence_and_code_2(harness: CommandHarness) -> None:
    """No traceback for a user's mistake."""
    nobody = harness.call(nodes, "3000000042")
    harness.launcher.register("small")
    result = harness.call(nodes, "3000000042")

    assert (nobody.exit_code, result.exit_code) == (2, 2)
    said = "remuda: there is no node 3000000042"
    assert nobody.stderr == f"{said}; no launcher is running in this ZooKeeper\n"
    assert result.stderr == f"{said}\n"


def test_broken_records_are_named_and_do_not_stop_the_list(harness: CommandHarness) -> None:
    """Other programs write into the same tree."""
    harness.launcher.ready_node()
    harness.launcher.store.commit([Create(path=f"{paths.NODES}/0000000001", data=b"nonsense")])
    harness.launcher.store.commit([Create(path=f"{paths.NODES}/0000000002")])
    result = harness.call(nodes)

    assert result.exit_code == 0
    assert "broken record: 0000000001" in result.stdout
    assert "0000000002" not in result.stdout


def test_ten_times_as_many_nodes_cost_ten_times_as_much(harness: CommandHarness) -> None:
    """Not a hundred times; and each is a plain line when nobody looks, however many there are."""
    costs_s: list[float] = []
    for count, more in ((100, 100), (1000, 900)):
        for _ in range(more):
            harness.launcher.ready_node()
        tries_s = []
        for _ in range(3):  # Python may collect the garbage of all tests before in one of them
            begun_s = time.process_time()
            result = harness.call(nodes)
            tries_s.append(time.process_time() - begun_s)
            assert len(result.stdout.splitlines()) == count + 1
        costs_s.append(min(tries_s))

    assert costs_s[1] < GROWTH_MAX * costs_s[0]


@pytest.mark.parametrize(("look", "calls_max"), [(requests, 150), (nodes, 220)])
def test_one_more_record_costs_little_more(
    harness: CommandHarness, look: click.Command, calls_max: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No question of its own to ZooKeeper, and few calls, each of what is dear only once."""
    monkeypatch.setenv("CI_JOB_NAME", "unit")
    counts = []
    for _ in range(2):
        for _ in range(20):
            harness.launcher.ready_node()
            assert harness.call(request, "small").exit_code == 0
        counts.append(calls(lambda: harness.call(look)))
    few, more = counts
    grown = Counter({name: (more[name] - few[name]) / 20 for name in more})

    assert (few["read_each"], more["read_each"]) == (2, 2)
    assert {name: grown[name] for name in _ASKING} == dict.fromkeys(_ASKING, 0)
    assert grown["find_job"] <= 1
    assert grown.total() <= calls_max, grown.most_common(10)


@pytest.mark.parametrize("look", [requests, nodes])
def test_nothing_is_collected_while_records_are_read(
    harness: CommandHarness, look: click.Command
) -> None:
    """Of many records all are wanted; afterwards Python does as before."""
    first = RequestId(harness.call(request, "small").stdout.strip())
    stored = harness.launcher.store.read(paths.request(first))
    assert stored is not None
    again = Create(path=f"{paths.REQUESTS}/200-", data=stored.value, sequence=True)
    counts = []
    for more in (20, 200):
        for _ in range(more):
            harness.launcher.ready_node()
            harness.launcher.store.commit([again])
        gc.collect()
        before = gc.get_stats()[0]["collections"]
        assert harness.call(look).exit_code == 0
        counts.append(gc.get_stats()[0]["collections"] - before)

    assert counts[1] <= counts[0] + 1
    assert gc.isenabled()


def test_requests_are_listed_in_the_order_of_service(harness: CommandHarness) -> None:
    """Priority, then relative priority, then age."""
    normal = harness.call(request, "small").stdout.strip()
    low = harness.call(request, "small", "--priority", "low", "--tenant", "t1").stdout.strip()
    high = harness.call(request, "small=2", "big", "--priority", "high").stdout.strip()
    listed = harness.json(requests)

    assert [one["id"] for one in listed] == [high, normal, low]
    assert listed[0]["labels"] == ["small", "small", "big"]
    assert [one["tenant"] for one in listed] == [None, None, "t1"]
    assert "2 small, big" in harness.call(requests).stdout


def test_pools_show_limits_and_labels(harness: CommandHarness) -> None:
    """From the component and the provider's status."""
    harness.launcher.register("small", "big", priority=50)
    harness.launcher.status(
        pools={"main": PoolStatus(instances=3, instances_max=10, cores=4)},
        labels={"small": LabelStatus(ready=2, coming=1, room=7, boot_s=65.0)},
    )
    doc = harness.json(pools)
    text = harness.call(pools).stdout

    assert doc["pools"][0]["instances_max"] == 10
    assert doc["labels"][0]["ready"] == 2
    assert "3/10" in text
    assert "1m5s" in text


def test_status_counts_and_tells_trouble(harness: CommandHarness) -> None:
    """A provider without a launcher is in trouble, whatever its last status says."""
    harness.launcher.status(labels={"small": LabelStatus(broken="image missing")})
    harness.launcher.ready_node()
    doc = harness.json(status)

    assert doc["providers"][0]["trouble"] == "no launcher is running"
    assert doc["providers"][0]["nodes"] == {"ready": 1}
    assert doc["labels"][0]["broken"] == "image missing"
    harness.launcher.replica()
    assert harness.json(status)["providers"][0]["trouble"] is None
    assert "requests: none" in harness.call(status).stdout


def test_explain_shows_each_verdict_with_its_numbers(harness: CommandHarness) -> None:
    """The first question of everybody who waits."""
    first = harness.call(request, "small").stdout.strip()
    made = harness.call(request, "small").stdout.strip()
    harness.launcher.register("small")
    harness.launcher.say(
        made,
        Ruling.WAITING,
        "the pool is full",
        numbers={"cores_used": 96, "cores_max": 96},
        eta_s=9000.0,
        at_s=time.time(),
    )
    text = harness.call(explain, made).stdout
    doc = harness.json(explain, made)

    assert "the pool is full" in text
    assert "cores_used 96, cores_max 96" in text
    assert "it is number 2 of 2 that wait" in text
    assert doc["position"] == 2
    assert doc["verdicts"][0]["numbers"] == {"cores_used": 96, "cores_max": 96}
    assert 8000 < doc["eta_s"] <= 9000
    assert first != made


def test_explain_of_nothing_is_a_sentence(harness: CommandHarness) -> None:
    """The request may have been served long ago."""
    result = harness.call(explain, "200-0000000099")

    assert result.exit_code == 2
    assert "there is no request 200-0000000099" in result.stderr


def test_explain_of_a_node_says_what_tells_of_it(harness: CommandHarness) -> None:
    """Both are numbers, and a list of nodes is what people have at hand."""
    result = harness.call(explain, "3000000001")

    assert result.exit_code == 2
    assert "is no request, but a node, and there is none: `remuda capsule" in result.stderr


def test_explain_without_any_launcher_says_so(harness: CommandHarness) -> None:
    """Nobody will ever look at it."""
    made = harness.call(request, "small").stdout.strip()

    assert "no launcher is running" in harness.call(explain, made).stdout


@pytest.mark.parametrize(
    ("state", "refusal"),
    [
        (NodeState.IN_USE, "is in use by 200-0000000001; --force deletes it anyway"),
        (NodeState.HOLD, "is held by 200-0000000001; --force deletes it anyway"),
        (NodeState.READY, "is promised to request 200-0000000001; --force deletes it anyway"),
    ],
)
def test_delete_refuses_somebodys_node_without_force(
    harness: CommandHarness, state: NodeState, refusal: str
) -> None:
    """Nobody's machine dies by a slip."""
    node_id = harness.launcher.ready_node(state=state, allocated_to="200-0000000001")
    result = harness.call(delete, node_id)

    assert result.exit_code == 2
    assert result.stderr == f"remuda: node {node_id} {refusal}\n"
    assert harness.launcher.read_node(node_id).state is state
    assert harness.call(delete, "--force", node_id).exit_code == 0
    assert harness.launcher.read_node(node_id).state is NodeState.DELETING


def test_delete_condemns_a_free_node(harness: CommandHarness) -> None:
    """And says what it was."""
    node_id = harness.launcher.ready_node()

    assert harness.json(delete, node_id) == [{"node": node_id, "was": "ready"}]
    assert harness.launcher.read_node(node_id).state is NodeState.DELETING


def test_failures_list_and_show_the_evidence(harness: CommandHarness) -> None:
    """Why, what the cloud said, what was printed."""
    harness.launcher.failure(
        "3000000007",
        fault="No valid host was found",
        console="Kernel panic",
        transcript=({"name": "disk", "ok": False, "seconds": 0.5, "output": "10 MiB"},),
    )
    text = harness.call(failures, "3000000007").stdout

    assert "error.ssh" in harness.call(failures).stdout
    assert "the cloud says: No valid host was found" in text
    assert "step disk: FAILED after 0.5 s" in text
    assert "Kernel panic" in text
    assert harness.json(failures)["launches"][0]["provider"] == "alpha"
    assert harness.call(failures, "1").exit_code == 2
    assert harness.json(failures, "--label", "big")["launches"] == []


def test_durations_are_written_in_two_units() -> None:
    """As much as a person reads."""
    seconds = (None, 0, 59.9, 61, 3599, 3600, 90061, NOW_S)
    assert [age(one) for one in seconds] == [
        "-",
        "0s",
        "59s",
        "1m1s",
        "59m59s",
        "1h",
        "1d1h",
        "19675d22h",
    ]
    assert (limit(3, 10), limit(3, None)) == ("3/10", "3")


def test_durations_look_as_their_docstring_says() -> None:
    """Whoever writes a table reads it there."""
    sizes = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
    examples = re.findall(r"``(.+?)``", lasting.__doc__ or "")
    parts = [re.findall(r"([0-9]+)([dhms])", one) for one in examples]

    assert len(examples) > 2
    assert [age(sum(int(count) * sizes[unit] for count, unit in one)) for one in parts] == examples


@pytest.mark.parametrize("command", [nodes, failures])
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--provider", "alhpa"), "there is no provider 'alhpa'; did you mean 'alpha'?"),
        (("--label", "smal"), "no pool offers the label 'smal'; did you mean 'small'?"),
    ],
)
def test_unknown_words_to_choose_by_are_a_mistake(
    harness: CommandHarness, command: click.Command, words: tuple[str, str], sentence: str
) -> None:
    """They would choose nothing for ever."""
    harness.launcher.register("small")
    result = harness.call(command, *words)

    assert result.exit_code == 2
    assert result.stderr == f"remuda: {sentence}\n"


def test_known_words_may_choose_nothing(harness: CommandHarness) -> None:
    """That is an answer."""
    harness.launcher.register("small")
    result = harness.call(nodes, "--label", "small", "--provider", "alpha")

    assert (result.exit_code, result.stdout) == (0, "no nodes\n")


def test_a_held_node_tells_when_its_hold_ends_at_the_latest(harness: CommandHarness) -> None:
    """By its own record, or by the provider's max-hold-age, whichever is sooner."""
    hour_s = 3600.0
    held = harness.launcher.ready_node(state=NodeState.HOLD)
    short = harness.launcher.ready_node(state=NodeState.HOLD, hold_expiration=hour_s)
    long = harness.launcher.ready_node(state=NodeState.HOLD, hold_expiration=9 * hour_s)
    harness.launcher.ready_node()

    def ends() -> dict[str, float | None]:
        return {one["id"]: one["hold_ends_at_s"] for one in harness.json(nodes, "--state", "hold")}

    before = ends()
    harness.launcher.status(max_hold_age_s=2 * hour_s)
    after = ends()

    assert before == {held: None, short: NOW_S + hour_s, long: NOW_S + 9 * hour_s}
    assert after == {held: NOW_S + 2 * hour_s, short: NOW_S + hour_s, long: NOW_S + 2 * hour_s}
