"""A machine that runs has a time for its first login; who takes it over goes on counting."""

from dataclasses import replace
from typing import Any

import pytest

from launcher.actions import Action
from launcher.lanes import noting
from launcher.node.actions import Advance, Condemn, Note, Prove
from launcher.node.deadlines import FIRST_LOOK_S, attempt_ends_s
from launcher.node.events import Proved, ScriptBegun
from launcher.node.progress import ANSWER_S, MOMENT_S
from launcher.node.proof import Access, Stage
from launcher.node.stages import WORDS_CHARS_MAX, enter, shown
from launcher.node.view import NodeView
from launcher.server.actions import Address
from launcher.server.events import Addressed
from launcher.world import World
from remuda.cloud.api import FloatingIp, NoRoomError, Server, ServerStatus
from remuda.metrics.results import Result
from remuda.model.ids import ServerId
from remuda.model.launch import Step, StepEvent
from remuda.runtime.now import Now
from remuda.ssh.api import Proof, ProofStep, StepTaken
from tests.unit.launcher.works import Works
from tests.unit.launcher.worlds import NOW, add_node, know, of_kind, think, world

LIMIT_S = 120.0
SILENT = "no TCP connection within 5 s"


def at(seconds: float) -> Now:
    """Return the time so long after the machine ran."""
    return Now(wall_s=NOW.wall_s + seconds, mono_s=NOW.mono_s + seconds)


def running(made: World, **changes: Any) -> NodeView:
    """Add a machine that runs since NOW, and to which nobody has connected yet."""
    launch = {"active_s": NOW.wall_s, "planned_s": NOW.wall_s - 20.0, **changes}
    view = add_node(made, 1, step=Step.PROVING, launch=launch)
    view.server.shown = Server(
        id=ServerId("server-1"), name="np1", status=ServerStatus.ACTIVE, public_ipv4="198.18.0.1"
    )
    made.touch_node(view)
    return view


def attempt(step: ProofStep = ProofStep.CONNECT, why: str = SILENT, *before: ProofStep) -> Proof:
    """Return an attempt that failed at a step, too early to be the last."""
    good = tuple(StepTaken(step=one, name=str(one), seconds=0.1, ok=True) for one in before)
    bad = StepTaken(step=step, name=str(step), seconds=0.1, ok=False, why=why)
    return Proof(ok=False, steps=(*good, bad), too_early=True)


def judged(made: World, now: Now, *kinds: type) -> list[Action]:
    """Return the actions of some kinds on the one machine."""
    return of_kind(think(made, now), *kinds)


def test_a_machine_that_lets_nobody_in_has_failed_when_its_time_is_over() -> None:
    """Not before; the last answer of the machine says which step it was."""
    made = world()
    view = running(made)
    know(view, last=attempt())

    assert judged(made, at(LIMIT_S - 0.1), Condemn) == []
    (condemned,) = judged(made, at(LIMIT_S), Condemn)
    assert isinstance(condemned, Condemn)
    assert condemned.result is Result.NETWORK
    assert condemned.cause == f"it runs, but nobody could log in for 120 s; connect: {SILENT}"


def test_the_limit_is_configured() -> None:
    """Emulated machines take their time."""
    made = world(**{"login-timeout": 600})
    know(running(made), last=attempt())

    assert judged(made, at(599.0), Condemn) == []
    assert judged(made, at(600.0), Condemn)


def test_the_end_is_an_alarm() -> None:
    """Nobody has to look by chance."""
    made = world()
    know(running(made), last=attempt())

    alarms = [one.due_s for one in think(made).alarms if one.kind == "node"]

    assert NOW.mono_s + LIMIT_S in alarms


@pytest.mark.parametrize("how", ["seen", "on record"])
def test_whoever_was_in_has_the_whole_time_of_a_launch(how: str) -> None:
    """A setup script may take long, and the machine may reboot meanwhile."""
    made = world()
    view = running(made, **({"proof_step": "setup"} if how == "on record" else {}))
    know(view, last=attempt())
    know(view, access=Access.LOGGED_IN if how == "seen" else Access.NONE)

    assert judged(made, at(LIMIT_S + 1), Condemn) == []
    assert judged(made, at(900.0), Condemn)


def test_an_old_record_has_no_time_for_the_login() -> None:
    """Of its machine nobody knows since when it runs."""
    made = world()
    know(running(made, active_s=None), last=attempt())

    assert judged(made, at(LIMIT_S + 1), Condemn) == []


def test_who_takes_a_launch_over_goes_on_counting_and_looks_once() -> None:
    """A launcher that is restarted again and again gives nobody more time."""
    made = world()
    view = running(made)
    late = at(LIMIT_S + 30)

    assert judged(made, late, Condemn) == []
    assert judged(made, late, Prove)
    assert view.launch is not None
    assert attempt_ends_s(made, view, view.launch, late) == late.wall_s + FIRST_LOOK_S
    know(view, last=attempt())
    assert attempt_ends_s(made, view, view.launch, at(1.0)) == NOW.wall_s + LIMIT_S
    assert judged(made, late, Condemn)


def test_time_in_which_it_waited_for_us_does_not_count() -> None:
    """But for what it had waited before it ran."""
    made = world()
    view = running(made)
    know(view, last=attempt(), waited_s=70.0, waited_active_s=20.0)

    assert judged(made, at(LIMIT_S + 49), Condemn) == []
    assert judged(made, at(LIMIT_S + 50), Condemn)


def test_without_its_floating_ip_nobody_could_log_in() -> None:
    """Whoever waits for one is not blamed for it; from then on it counts."""
    made = world(pools={"main": {"max-servers": 10, "floating-ips": True}})
    works, view = Works(made), running(made)
    know(view, last=attempt())

    assert judged(made, at(LIMIT_S + 1), Condemn) == []
    works.hear(Addressed(node=view.id, result=NoRoomError("none left")), at(200.0))
    assert view.proof.stage == Stage(step="address", words="none left", since_s=NOW.wall_s + 200.0)
    works.hear(
        Addressed(node=view.id, result=FloatingIp(id="ip", address="203.0.113.1")), at(300.0)
    )
    assert view.proof.stage == Stage(step="connect", words="", since_s=NOW.wall_s + 300.0)
    assert judged(made, at(300.0 + LIMIT_S - 1), Condemn, Address) == []
    assert judged(made, at(300.0 + LIMIT_S), Condemn)


def test_that_it_runs_is_written_with_the_step() -> None:
    """It costs no write of its own."""
    made = world()
    view = running(made, active_s=None)
    assert view.launch is not None
    view.launch = replace(view.launch, step=Step.BOOTING)

    (advance,) = judged(made, at(3.0), Advance)

    assert isinstance(advance, Advance)
    assert (advance.launch.step, advance.launch.active_s) == (Step.PROVING, NOW.wall_s + 3.0)


# What is written down


def noted(made: World, view: NodeView, now: Now) -> bool:
    """Write what is to be written now, if anything is; return whether it was."""
    notes = judged(made, now, Note)
    for one in notes:
        assert isinstance(one, Note)
        know(view, launch=one.launch, noted_s=now.mono_s)
    made.touch_node(view)
    return bool(notes)


def test_a_step_is_written_once_it_has_taken_more_than_a_moment() -> None:
    """And not again for each attempt."""
    made = world()
    works, view = Works(made), running(made)
    writes = []
    for second in range(60):
        if second % 2:
            works.hear(Proved(node=view.id, proof=attempt()), at(second))
        if noted(made, view, at(second)):
            writes.append(second)

    assert writes == [MOMENT_S]
    assert view.launch is not None
    assert view.launch.proof_step == "connect"
    assert view.launch.proof_since_s == NOW.wall_s + 1.0
    assert view.launch.proof_words == SILENT


def test_another_answer_at_the_same_step_is_written_now_and_then() -> None:
    """However often it changes."""
    made = world()
    works, view = Works(made), running(made)
    writes = []
    for second in range(100):
        answer = f"answer {second}"
        works.hear(Proved(node=view.id, proof=attempt(why=answer)), at(second))
        if noted(made, view, at(second)):
            writes.append(second)

    assert writes == [MOMENT_S, MOMENT_S + ANSWER_S, MOMENT_S + 2 * ANSWER_S, 95]


def test_a_machine_that_answers_otherwise_each_time_is_on_record_too() -> None:
    """No step lasts, and nobody is in."""
    made = world()
    works, view = Works(made), running(made)
    writes = []
    for second in range(60):
        step = ProofStep.HOST_KEY if second % 4 < 2 else ProofStep.CONNECT
        works.hear(Proved(node=view.id, proof=attempt(step)), at(second))
        if noted(made, view, at(second)):
            writes.append(second)

    assert writes == [MOMENT_S]


def test_what_a_machine_or_a_cloud_answers_is_cut() -> None:
    """It goes into a record."""
    made = world()
    view = running(made)

    enter(view, "login", "x" * 10_000, NOW.wall_s)

    assert view.proof.stage is not None
    assert len(view.proof.stage.words) == WORDS_CHARS_MAX


def test_a_healthy_launch_writes_nothing_of_it() -> None:
    """It is proven within the moment."""
    made = world()
    works, view = Works(made), running(made)
    view.busy = "prove"
    for script in ("setup", "clock"):
        works.hear(ScriptBegun(node=view.id, step=ProofStep.CHECK, name=script, at_s=0.0), NOW)
    works.hear(Proved(node=view.id, proof=Proof(ok=True)), at(1.0))

    assert not noted(made, view, at(1.0))


def test_a_script_is_written_while_its_hand_is_at_work() -> None:
    """Each is a step of its own."""
    made = world()
    works, view = Works(made), running(made)
    view.busy = "prove"
    first = ScriptBegun(node=view.id, step=ProofStep.CHECK, name="disk", at_s=NOW.wall_s + 1.0)
    works.hear(first, at(1.0))
    assert not noted(made, view, at(5.0))
    assert noted(made, view, at(6.0))
    works.hear(replace(first, name="clock", at_s=NOW.wall_s + 7.0), at(7.0))
    assert not noted(made, view, at(11.0))
    assert noted(made, view, at(12.0))

    assert view.launch is not None
    assert (view.launch.proof_step, view.launch.proof_words) == ("check", "clock")
    assert view.busy == "prove"


def test_nothing_else_is_written_to_a_record_that_is_being_written() -> None:
    """One of both would be rejected."""
    made = world()
    view = running(made)
    know(view, access=Access.PROVEN)
    made.busy.enter(noting(view.id), Note(node=view.id, launch=view.launch))
    made.touch_node(view)

    assert think(made).actions == []


def test_a_note_is_written_and_the_hand_goes_on() -> None:
    """It takes nothing from whoever works on the machine."""
    made = world()
    works, view = Works(made), running(made)
    know(view, busy="prove", stage=Stage(step="connect", words="", since_s=NOW.wall_s - 5.0))
    made.touch_node(view)
    plan = think(made)

    works.start(plan, NOW, Note)

    assert (noting(view.id) in made.busy, view.busy) == (True, "prove")
    assert judged(made, at(60.0), Note, Condemn) == []


def test_who_takes_it_over_knows_since_when_it_is_waited_for() -> None:
    """The record says so."""
    made = world()
    view = running(made, proof_step="connect", proof_since_s=NOW.wall_s + 2.0, proof_words="x")

    enter(view, "connect", SILENT, NOW.wall_s + 50.0)

    assert view.proof.stage == Stage(step="connect", words=SILENT, since_s=NOW.wall_s + 2.0)


def test_what_a_machine_is_waited_for_ends_with_its_step() -> None:
    """But for one that failed: there it ended."""
    made = world()
    view = running(made, proof_step="address", proof_since_s=NOW.wall_s, proof_words="none left")
    assert view.launch is not None
    booting = replace(view.launch, step=Step.BOOTING)

    for one in (booting.after(StepEvent.ACTIVE), view.launch.after(StepEvent.PROVEN)):
        assert (one.proof_step, one.proof_since_s, one.proof_words) == (None, None, None)
    assert view.launch.after(StepEvent.CONDEMNED).proof_step == "address"


def test_a_running_machine_without_an_address_is_slow_too() -> None:
    """The cloud says that it runs; nobody can reach it."""
    made = world()
    view = add_node(made, 1, step=Step.BOOTING)
    view.server.shown = Server(id=ServerId("server-1"), name="np1", status=ServerStatus.ACTIVE)
    shown(view, NOW)
    made.touch_node(view)

    assert not noted(made, view, at(MOMENT_S - 0.1))
    assert noted(made, view, at(MOMENT_S))
    assert view.launch is not None
    assert view.launch.proof_step == "address"
    assert view.launch.proof_words == "the cloud shows no address of it"
