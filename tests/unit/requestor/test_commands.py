"""The commands that ask for nodes, with a launcher that answers at once and fake machines."""

import json
import os
import time
from pathlib import Path

import pytest

from remuda.cli.errors import EXIT_MISTAKE
from remuda.insight.explanation import explain
from remuda.model.ids import RequestId
from remuda.model.jobreport import report_of
from remuda.model.node import NodeState
from remuda.model.status import Ruling
from remuda.ssh.errors import ConnectionLostError
from remuda.store import paths
from requestor.commands import keeping_hint
from requestor.commands.request import request
from requestor.commands.run import run
from requestor.commands.ssh import ssh
from requestor.commands.waiting import progress
from tests.support.commands import CommandHarness, FakeMachine
from tests.support.meters import net_dev
from tests.support.standin import HOST_KEY


@pytest.fixture(autouse=True)
def _no_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for no launcher that says what it has granted: there is none here."""
    monkeypatch.setattr(keeping_hint, "DECIDED_S", 0.0)


@pytest.fixture
def harness() -> CommandHarness:
    """A harness whose launcher lends at once."""
    one = CommandHarness()
    one.launcher.register("small", "big")
    one.answer = one.launcher.lend
    return one


def the_nodes(harness: CommandHarness) -> list[NodeState]:
    """Return the states of all nodes, by id."""
    names = harness.launcher.store.children(paths.NODES)
    return [harness.launcher.read_node(name).state for name in names]


def test_run_streams_passes_the_code_and_gives_the_machine_back(harness: CommandHarness) -> None:
    """As if the command were here."""
    harness.out, harness.code = b"hello\n", 7
    result = harness.call(run, "small", "--", "make", "it work")

    assert result.exit_code == 7
    assert result.stdout == "hello\n"
    assert the_nodes(harness) == [NodeState.USED]
    (machine,) = harness.machines
    ((command, env),) = machine.ran
    assert command == "exec make 'it work'"
    assert env["REMUDA_LABEL"] == "small"
    assert env["REMUDA_ADDRESSES"] == "127.77.0.2"
    assert machine.login.host_keys == (HOST_KEY,)


@pytest.mark.parametrize(("code", "why"), [(0, ""), (7, "exit code 7")])
def test_run_reports_how_it_went(harness: CommandHarness, code: int, why: str) -> None:
    """In the record of each machine, from where its launcher counts it."""
    harness.code = code
    harness.call(run, "small", "--count", "2", "--", "x")

    names = harness.launcher.store.children(paths.NODES)
    reports = [report_of(harness.launcher.read_node(name)) for name in names]
    assert [one and (one.ok, one.why) for one in reports] == [(code == 0, why)] * 2


def test_run_reports_what_each_machine_fetched_meanwhile(harness: CommandHarness) -> None:
    """By what the machine says before and afterwards; nothing is known if it says nothing."""
    harness.received = [net_dev(7_000), net_dev(12_007_000)]
    harness.call(run, "small", "--", "x")
    harness.received = [net_dev(7_000), "no such file"]
    harness.call(run, "small", "--", "x")

    names = sorted(harness.launcher.store.children(paths.NODES))
    reports = [report_of(harness.launcher.read_node(name)) for name in names]
    assert [one and one.fetched_bytes for one in reports] == [12_000_000, None]


def test_run_reports_nothing_of_what_failed_here(
    harness: CommandHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An output of ours that cannot be written says nothing of the machine."""
    monkeypatch.setattr(FakeMachine, "run", _broken_pipe)
    assert harness.call(run, "small", "--", "x").exit_code == 1

    (name,) = harness.launcher.store.children(paths.NODES)
    assert report_of(harness.launcher.read_node(name)) is None


def _broken_pipe(*_: object, **__: object) -> int:
    raise BrokenPipeError("our output is closed")


def test_one_word_is_a_text_for_the_shell(harness: CommandHarness) -> None:
    """Pipes and variables are the machine's."""
    harness.call(run, "small", "--", "cd /tmp && ls | wc -l")

    assert harness.machines[0].ran[0][0] == "cd /tmp && ls | wc -l"


def test_options_of_ours_may_follow_the_label(harness: CommandHarness, tmp_path: Path) -> None:
    """What follows -- is the command's."""
    result = harness.call(run, "small", "--copy", f"{tmp_path}:src dir", "--", "ls", "--json")

    assert result.exit_code == 0, result.stderr
    assert harness.machines[0].copied == [(str(tmp_path), "src dir")]
    assert harness.machines[0].ran[0][0] == "cd 'src dir' && exec ls --json"


def test_several_machines_print_with_prefixes_and_the_highest_code(harness: CommandHarness) -> None:
    """All at once, lines never mixed."""
    harness.out, harness.code = b"one\ntwo", 3
    result = harness.call(run, "small", "--count", "2", "--", "x")

    assert result.exit_code == 3
    assert sorted(result.stdout.splitlines()) == [
        "[0 127.77.0.2] one",
        "[0 127.77.0.2] two",
        "[1 127.77.0.2] one",
        "[1 127.77.0.2] two",
    ]
    assert {machine.ran[0][1]["REMUDA_INDEX"] for machine in harness.machines} == {"0", "1"}
    assert the_nodes(harness) == [NodeState.USED, NodeState.USED]


def test_json_tells_everything_as_lines(harness: CommandHarness) -> None:
    """Output, too, whatever its encoding."""
    harness.out, harness.code = b"\xff\n", 1
    result = harness.call(run, "small", "--json", "--", "x")
    events = [json.loads(line) for line in result.stdout.splitlines()]

    assert [one["event"] for one in events] == ["node", "output", "exit", "done", "hint"]
    assert events[1]["text"] == "\N{REPLACEMENT CHARACTER}\n"
    assert events[3] == {"event": "done", "code": 1}


def test_a_failed_command_may_hold_its_machine(harness: CommandHarness) -> None:
    """For so long, with the reason, and with words how to get there."""
    harness.code = 2
    result = harness.call(run, "small", "--hold-on-failure=1h", "--quiet", "--", "x")

    assert result.exit_code == 2
    (name,) = harness.launcher.store.children(paths.NODES)
    record = harness.launcher.read_node(name)
    assert record.state is NodeState.HOLD
    assert record.hold_expiration == 3600
    assert record.doc["comment"] == "remuda run ended with exit code 2"


def test_a_hold_for_longer_than_anybody_keeps_a_machine_costs_none(
    harness: CommandHarness,
) -> None:
    """It is refused before anything is asked for, as an autohold is."""
    harness.launcher.status(max_hold_age_s=14 * 86_400.0)
    result = harness.call(run, "small", "--hold-on-failure=90d", "--", "x")

    assert result.exit_code == EXIT_MISTAKE
    assert "(max-hold-age): --hold-on-failure 90d would keep none" in result.stderr
    assert the_nodes(harness) == []


def test_a_command_that_works_holds_nothing(harness: CommandHarness) -> None:
    """Only failures are worth it."""
    harness.call(run, "small", "--hold-on-failure=1h", "--", "x")

    assert the_nodes(harness) == [NodeState.USED]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["smal", "--", "x"], "no pool offers the label 'smal'; did you mean 'small'?"),
        (["zzz", "--", "x"], "no pool offers the label 'zzz'; known here: big, small"),
        (["small", "--provider", "alhpa", "--", "x"], "did you mean 'alpha'?"),
        (["small", "--priority", "urgent", "--", "x"], "priority 'urgent' is neither one of"),
        (["small", "--priority", "-1", "--", "x"], "nor a number from 0 to 999"),
        (["small", "--relative-priority", "9" * 12, "--", "x"], "from -2147483647 to 2147483647"),
        (["small", "--timeout", "soon", "--", "x"], "'soon' is not a duration; write for example"),
        (["small", "--", ""], "the command is empty"),
        (["small", "--copy", "", "--", "x"], "there is no folder ''"),
        (["small", "--copy", "/does/not/exist", "--", "x"], "there is no folder"),
        (["small", "--stdin", "--count", "2", "--", "x"], "--stdin can feed one machine only"),
    ],
)
def test_mistakes_are_one_sentence_and_code_2(
    harness: CommandHarness, words: list[str], sentence: str
) -> None:
    """Before anything is asked for."""
    result = harness.call(run, *words)

    assert result.exit_code == 2
    assert sentence in result.stderr
    assert "Traceback" not in result.output
    assert harness.launcher.store.children(paths.REQUESTS) == ()


def test_a_request_that_fails_is_code_4_with_the_reasons(harness: CommandHarness) -> None:
    """The verdicts say why."""

    def refuse(made: str) -> None:
        harness.launcher.say(made, Ruling.DECLINED, "more than the quota")
        harness.launcher.refuse(made)

    harness.answer = refuse
    result = harness.call(run, "small", "--", "x")

    assert result.exit_code == 4
    assert "alpha declined (more than the quota)" in result.stderr


def test_waiting_too_long_is_code_5_and_leaves_no_request(harness: CommandHarness) -> None:
    """--max-wait is the deadline."""
    harness.answer = lambda _made: None
    result = harness.call(run, "small", "--max-wait", "20ms", "--", "x")

    assert result.exit_code == 5
    assert "no provider has looked at it yet" in result.stderr
    assert harness.launcher.store.children(paths.REQUESTS) == ()


def test_a_lost_session_is_code_6(harness: CommandHarness) -> None:
    """Whatever the command said: its machine is being deleted."""

    def expire(_machine: FakeMachine) -> None:
        harness.stores[-1].expire()
        harness.zookeeper.deliver()

    harness.during = expire
    result = harness.call(run, "small", "--", "x")

    assert result.exit_code == 6
    assert "the ZooKeeper session was lost" in result.stderr


def test_a_command_out_of_time_is_code_124(harness: CommandHarness) -> None:
    """Its connection is closed, its machine given back."""
    harness.during = lambda machine: machine.closed.wait(60.0)
    result = harness.call(run, "small", "--timeout", "50ms", "--", "x")

    assert result.exit_code == 124
    assert "not finished after 0.05 s" in result.stderr
    assert the_nodes(harness) == [NodeState.USED]


def test_a_broken_connection_is_code_255(harness: CommandHarness) -> None:
    """As with ssh."""

    def breaks(_machine: FakeMachine) -> None:
        raise ConnectionLostError("the connection broke")

    harness.during = breaks
    result = harness.call(run, "small", "--", "x")

    assert result.exit_code == 255
    assert "the connection broke" in result.stderr
    assert the_nodes(harness) == [NodeState.USED]


def test_ctrl_c_is_code_130_and_gives_the_machine_back(harness: CommandHarness) -> None:
    """However deep it comes."""

    def interrupted(_machine: FakeMachine) -> None:
        raise KeyboardInterrupt

    harness.during = interrupted
    result = harness.call(run, "small", "--", "x")

    assert result.exit_code == 130
    assert the_nodes(harness) == [NodeState.USED]


def test_request_leaves_a_request_that_outlives_us(harness: CommandHarness) -> None:
    """Somebody else accepts it."""
    harness.answer = lambda _made: None
    made = harness.call(request, "small=2", "--tenant", "t1", "--fresh").stdout.strip()
    record = harness.launcher.read_request(made)

    assert record.labels == ("small", "small")
    assert (record.tenant, record.reuse) == ("t1", False)
    assert harness.json(request, "big")["labels"] == ["big"]


@pytest.mark.parametrize("word", ["small=0", "small=x", "small=", "=3"])
def test_a_bad_count_is_a_mistake(harness: CommandHarness, word: str) -> None:
    """The sentence says how to write it."""
    result = harness.call(request, word)

    assert result.exit_code == 2
    assert "write LABEL or LABEL=COUNT" in result.stderr


def test_kept_nodes_are_printed_and_given_back_in_the_end(harness: CommandHarness) -> None:
    """The end here: the process to live with is gone already."""
    gone = os.fork()
    if gone == 0:
        os._exit(0)
    os.waitpid(gone, 0)
    result = harness.call(request, "small", "--wait", "--until-pid", str(gone))

    assert result.exit_code == 0, result.output
    assert result.stdout.split()[1:] == ["127.77.0.2", "22", "root", "small", "alpha"]
    assert the_nodes(harness) == [NodeState.USED]


def test_kept_nodes_are_given_back_after_a_time(harness: CommandHarness) -> None:
    """--keep bounds what a script may forget."""
    started_s = time.monotonic()
    result = harness.call(
        request, "small", "--wait", "--json", "--keep", "50ms", "--until-pid", str(os.getpid())
    )

    assert json.loads(result.stdout)["request"].startswith("200-")
    assert time.monotonic() - started_s >= 0.05
    assert the_nodes(harness) == [NodeState.USED]


def test_keeping_options_need_wait(harness: CommandHarness) -> None:
    """There is nothing to keep otherwise."""
    assert harness.call(request, "small", "--detach").exit_code == 2


def test_ssh_is_called_with_the_keys_of_the_machine(
    harness: CommandHarness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in for ssh shows what it got."""
    fake = tmp_path / "ssh"
    fake.write_text('#!/bin/sh\necho "$@" > "$OUT"\ncat "${2#*=}" >> "$OUT"\nexit 5\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("OUT", str(tmp_path / "out"))
    node_id = harness.launcher.ready_node(connection_port=2222)
    result = harness.call(ssh, node_id, "--", "ls", "-l")
    told = (tmp_path / "out").read_text()

    assert result.exit_code == 5
    assert "StrictHostKeyChecking=yes " in told
    assert " -p 2222 -l root -- 127.77.0.2 ls -l" in told
    assert f"[127.77.0.2]:2222 {HOST_KEY}" in told


def test_ssh_to_nowhere_is_a_mistake(harness: CommandHarness) -> None:
    """Unknown, or not up yet."""
    booting = harness.launcher.ready_node(state=NodeState.BUILDING, interface_ip=None)

    assert "there is no node 1" in harness.call(ssh, "1").stderr
    assert "is building and has no address yet" in harness.call(ssh, booting).stderr


def test_the_line_for_who_waits_has_the_reasons(harness: CommandHarness) -> None:
    """Who waits wants to know why, and for how long."""
    harness.answer = lambda _made: None
    made = harness.call(request, "small").stdout.strip()
    second = harness.call(request, "small").stdout.strip()
    harness.launcher.say(second, Ruling.SERVING, "booting", eta_s=9000.0, at_s=time.time())
    known = explain(harness.launcher.store, RequestId(second), now_s=time.time())
    line = progress("1 small", 12.0, known)

    assert line.startswith("waiting for 1 small, 12s, number 2 of 2, expected in ")
    assert line.endswith("alpha serves it (booting)")
    assert made != second
