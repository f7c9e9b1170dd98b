"""Judgements of capsules at their edges: where a machine is, who asks again, what waits."""

from dataclasses import replace

from launcher.actions import Plan
from launcher.capsule.actions import StoreCapsule
from launcher.capsule.asking import AGAIN_S, wished
from launcher.capsule.describing import describe
from launcher.capsule.gathering import gather_order
from launcher.capsule.storing import store_capsules
from launcher.capsule.view import WaitingCapsule
from launcher.hold.orders import NAME, logins
from launcher.lanes import capsule
from launcher.node.view import AnsweredWish, NodeView
from remuda.model.capsule import WISH_KEY, CapsuleKind
from remuda.ssh.api import ProofSpec, ProofStep, StepTaken
from tests.unit.launcher.worlds import NOW, add_node, world


def test_a_machine_is_asked_only_where_it_is_known_to_be_the_right_one() -> None:
    """An address, and one of the keys that it was proven with; of *ignore* none is compared."""
    made = world()
    view = add_node(made, 1, address="198.18.0.1")
    policy = replace(
        made.policy, config=made.policy.config.model_copy(update={"ssh_key_file": "/k"})
    )

    def told(view: NodeView, host_keys: str = "inject") -> ProofSpec | str:
        kinds = {view.key: policy.making[view.key].model_copy(update={"host_keys": host_keys})}
        return gather_order(replace(policy, making=kinds), view, CapsuleKind.JOB, "m")

    loose = told(view, "ignore")
    assert isinstance(loose, ProofSpec)
    assert loose.login.host_keys == ()
    assert view.launch is not None
    view.launch = replace(view.launch, host_key=None, address="198.18.0.1")
    view.node = None
    assert told(view) == "the launcher does not know the host key of the machine any more"
    nowhere = add_node(made, 2)
    assert nowhere.launch is not None
    nowhere.launch = replace(nowhere.launch, address=None)
    nowhere.server.shown = nowhere.node = None
    assert told(nowhere) == "nobody knows the address of the machine"


def test_who_asks_again_at_once_waits_a_moment() -> None:
    """Whoever writes a wish after the other does not keep the launcher at it."""
    made, plan = world(), Plan()
    view = add_node(made, 1, **{WISH_KEY: {"token": "new", "at_s": NOW.wall_s}})
    view.told = AnsweredWish(token="old", at_s=NOW.mono_s)

    assert wished(made, view, NOW, plan) is None
    later = replace(NOW, mono_s=NOW.mono_s + AGAIN_S)
    answer = wished(made, view, later, plan)
    assert answer is not None
    assert answer.token == "new"


def test_a_wish_that_cannot_be_read_is_none() -> None:
    """Whatever lies there."""
    made = world()
    for junk in (7, "x", {"token": 1}, {}):
        view = add_node(made, 1, **{WISH_KEY: junk})
        assert wished(made, view, NOW, Plan()) is None


def test_whose_a_machine_was_that_no_record_tells() -> None:
    """Its node says nothing of it, and no request does."""
    made = world()
    view = add_node(made, 1)

    told = describe(made, view, NOW, kind=CapsuleKind.JOB, result="job.failed", why="x")

    assert (told.requestor, told.job) == (None, None)
    view.node = None  # removed by somebody
    told = describe(made, view, NOW, kind=CapsuleKind.JOB, result="job.failed", why="x")
    assert (told.requestor, told.job) == (None, None)


def test_a_capsule_that_is_being_stored_is_not_stored_twice() -> None:
    """The others are."""
    made, plan = world(), Plan()
    for number in (1, 2):
        view = add_node(made, number)
        one = describe(made, view, NOW, kind=CapsuleKind.JOB, result="job.failed", why="x")
        made.capsules[view.id] = WaitingCapsule(capsule=one)
        if number == 1:
            under_way = StoreCapsule(node=view.id, capsule=one)
            made.busy.enter(capsule(view.id), under_way)

    store_capsules(made, NOW, plan)

    started = [one.node for one in plan.actions if isinstance(one, StoreCapsule)]
    assert started == list(made.capsules)[1:]


def test_who_is_logged_in_is_taken_from_lines_that_say_so() -> None:
    """Once each; nothing that steers a terminal."""
    said = "hello\nlogin: ada\nlogin: ada\nlogin: \x1b[2J\nlogin:\n"
    step = StepTaken(step=ProofStep.SETUP, name=NAME, seconds=1.0, ok=True, output=said)

    found = logins((step,))
    assert found[0] == "ada"
    assert len(found) <= 2
    assert all(one.isprintable() for one in found)
    assert logins(()) == ()
