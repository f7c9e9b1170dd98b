"""``--boot``: every step as the launcher takes it, and nothing left behind whatever happens."""

from collections.abc import Callable

import pytest

from launcher.checking.examining import examine
from launcher.checking.findings import Findings, State
from launcher.checking.showing import report_sheet
from remuda.cli.output import plain
from remuda.cloud.api import NoRoomError, TryLaterError, UnauthorizedError
from remuda.cloud.image_store import ImageStatus
from remuda.cloud.inspection import CloudRight, Permission, Told
from remuda.model import tags
from remuda.model.ids import NodeId, PoolName, ProviderName
from tests.fakes.cloud_fates import Boot, BootEnd, Create, Delete
from tests.fakes.glance import Snapshot
from tests.fakes.prover import Exit, Machine
from tests.unit.checking.conftest import Bench

Pick = Callable[[Findings], dict[str, str]]

OURS = tags.trial_owner(ProviderName("east"))
FIRST, SECOND = "198.18.0.1", "198.18.0.2"


def booted(bench: Bench) -> Findings:
    """Check with boots."""
    out = Findings()
    examine(bench.means(), out, boot=True)
    return out


def rights(out: Findings) -> dict[str, State]:
    """Return the verdict on each right."""
    return {one.subject: one.state for one in out.lines if one.area == "rights"}


def test_every_label_is_booted_once_and_removed(bench: Bench, problems: Pick) -> None:
    """Through all steps, by the launcher's own orders, under names that say what they are."""
    out = booted(bench)

    small, tested = out.facts["boots"]
    orders = list(bench.cloud.orders.values())
    assert problems(out) == {}
    assert [one["step"] for one in small["steps"]] == [
        *("create", "active", "connect", "host-key", "login", "snapshot", "delete")
    ]
    assert [one["name"] for one in tested["steps"]][-2:] == ["mine", "delete"]
    assert small["steps"][1]["seconds"] >= bench.cloud.boot_s
    assert [one.name for one in orders] == ["remuda-check-r1-1", "remuda-check-r1-2"]
    assert [tags.owned_node(one.tags, OURS) for one in orders] == ["check-r1-1", "check-r1-2"]
    assert orders[0].networks == ("private",)
    assert "ssh-ed25519" in (orders[0].user_data or "")
    assert bench.empty()


def test_a_setup_whose_fetches_are_known_is_no_riddle(bench: Bench, problems: Pick) -> None:
    """A launcher counts them; here there is nobody who keeps them, and the machine goes on."""
    bench.doc["labels"]["small"]["setup"] = {"inline": "exit 0"}  # type: ignore[index]
    bench.prover.script(FIRST, Machine(fetched=7_000))

    out = booted(bench)

    assert problems(out) == {}
    assert "setup" in [one["step"] for one in out.facts["boots"][0]["steps"]]
    assert bench.empty()


def test_boots_show_all_rights(bench: Bench) -> None:
    """What was done is no longer a question."""
    out = booted(bench)

    assert rights(out) == dict.fromkeys(("create", "delete", "snapshot", "tag"), State.OK)
    assert bench.images.snapshots == ["remuda-check-r1-1"]


def test_floating_ips_are_given_and_taken_back(bench: Bench) -> None:
    """The proof goes to that address."""
    bench.pool["floating-ips"] = True
    bench.cloud.fail("add_floating_ip", TryLaterError("fake: no port yet"))

    out = booted(bench)

    assert "floating-ip" in [one["step"] for one in out.facts["boots"][0]["steps"]]
    assert bench.prover.orders[0].login.address == "198.19.0.1"
    assert bench.empty()
    assert bench.cloud.list_leftovers() == ()


def test_a_machine_that_is_up_late_is_waited_for(bench: Bench, problems: Pick) -> None:
    """The waiting is a step of its own, the last attempt's steps are shown."""
    bench.prover.script(FIRST, Machine(too_early=3))

    out = booted(bench)

    names = [one["step"] for one in out.facts["boots"][0]["steps"]]
    assert problems(out) == {}
    assert names[2:5] == ["ssh-wait", "connect", "host-key"]


def test_a_failing_check_shows_what_it_printed(bench: Bench, problems: Pick) -> None:
    """And the console; the machine is removed like any other."""
    bench.prover.script(SECOND, Machine(exits={"mine": Exit(code=3, output="no compiler\n")}))

    out = booted(bench)

    text = plain(report_sheet(out))
    assert problems(out) == {"main/tested": "mine failed: no compiler"}
    assert "step mine: FAILED" in text
    assert "    no compiler" in text
    assert "remuda-check-r1-2 boots" in text
    assert out.facts["boots"][1]["steps"][-2]["output"] == "no compiler\n"
    assert bench.empty()


def test_a_key_that_never_opens_is_given_up_at_the_deadline(bench: Bench) -> None:
    """As the launcher does after launch-timeout; the advice names the key and the user."""
    bench.doc["providers"]["east"].update({"launch-timeout": 60, "boot-timeout": 50})
    bench.prover.script(FIRST, Machine(refuses=10_000))

    out = booted(bench)

    (found,) = [one for one in out.lines if one.subject == "main/small" and one.area == "boot"]
    assert found.state is State.PROBLEM
    assert "does not open the account" in found.text
    assert "username" in found.advice
    assert bench.empty()


@pytest.mark.parametrize(
    ("fate", "text"),
    [
        (Boot(end=BootEnd.ERROR, fault="No valid host was found."), "No valid host was found."),
        (Boot(end=BootEnd.HANG), "not active after 600 s"),
        (Boot(end=BootEnd.STOP), "the cloud says: stopped, before it was up"),
    ],
    ids=["error", "hang", "stop"],
)
def test_a_boot_that_fails_is_a_problem(
    bench: Bench, problems: Pick, fate: Boot, text: str
) -> None:
    """The cloud's own words, and the other labels are booted all the same."""
    bench.cloud.next_boots.append(fate)

    out = booted(bench)

    assert text in problems(out)["main/small"]
    assert out.facts["boots"][1]["ok"]
    assert bench.empty()


def test_a_refused_order_makes_nothing(bench: Bench, problems: Pick) -> None:
    """There is nothing to remove, and no right was shown."""
    bench.cloud.fail("create_server", NoRoomError("fake: Quota exceeded"))

    out = booted(bench)

    assert "Quota exceeded" in problems(out)["main/small"]
    assert [one["step"] for one in out.facts["boots"][0]["steps"]] == ["create"]


@pytest.mark.parametrize("fate", [Create.LOST_REPLY, Create.LOST_CALL])
def test_a_create_call_of_unknown_outcome_is_settled(
    bench: Bench, problems: Pick, fate: Create
) -> None:
    """By the tag in the listing, until none can appear any more."""
    bench.cloud.next_creates.append(fate)

    out = booted(bench)

    assert "create failed" in problems(out)["main/small"]
    assert bench.empty()


def test_deleting_is_repeated_until_the_cloud_agrees(bench: Bench, problems: Pick) -> None:
    """Refused, ignored, slow."""
    bench.cloud.next_deletes.extend([Delete.REFUSED, Delete.IGNORED, Delete.SLOW])

    assert problems(booted(bench)) == {}
    assert bench.empty()


def test_a_machine_that_stays_is_named(bench: Bench, problems: Pick) -> None:
    """Somebody must delete it by hand."""
    bench.cloud.next_deletes.extend([Delete.IGNORED] * 1000)

    out = booted(bench)

    (server, *_) = bench.cloud.orders
    assert f"server {server} is still there" in problems(out)["main/small removal"]
    assert rights(out)["delete"] is State.PROBLEM


@pytest.mark.parametrize("stop_after", range(6))
def test_ctrl_c_removes_everything(bench: Bench, stop_after: int) -> None:
    """Wherever it strikes; what was not done is not called a problem."""
    bench.stop_after = stop_after
    bench.prover.script(FIRST, Machine(too_early=2))

    out = booted(bench)

    assert bench.empty()
    assert not out.count(State.PROBLEM)
    assert any("stopped by you" in one.text for one in out.lines)


def test_a_crash_of_ours_removes_the_machine_too(bench: Bench) -> None:
    """A bug must not cost money."""
    slow = bench.prover.prove

    def crash(*_args: object, **_more: object) -> object:
        raise RuntimeError("our bug")

    bench.prover.prove = crash  # type: ignore[method-assign,assignment]
    with pytest.raises(RuntimeError):
        booted(bench)
    bench.prover.prove = slow  # type: ignore[method-assign]

    assert len(bench.cloud.orders) == 1
    assert bench.empty()


def test_a_snapshot_that_dies_is_a_warning(bench: Bench, warnings: Pick) -> None:
    """Nova lets the image vanish; only builders need it."""
    bench.images.glance.next_snapshots.append(Snapshot.FAILS)

    out = booted(bench)

    assert "vanished" in warnings(out)["snapshot"]
    assert bench.empty()


@pytest.mark.parametrize(
    ("status", "failed"),
    [
        (ImageStatus.UNKNOWN, False),
        (ImageStatus.PENDING, False),
        (ImageStatus.DEAD, True),
        (ImageStatus.DELETING, True),
    ],
)
def test_only_what_never_becomes_an_image_is_a_failed_snapshot(
    bench: Bench,
    warnings: Pick,
    status: ImageStatus,
    failed: bool,  # noqa: FBT001
) -> None:
    """A word that we do not know says nothing: look again."""
    bench.images.glance.next_statuses.append(status)

    assert ("snapshot" in warnings(booted(bench))) is failed
    assert bench.empty()


def test_images_of_checks_that_were_killed_are_deleted(bench: Bench) -> None:
    """An hour after launch-timeout, by their tags; strangers' stay."""
    server = bench.cloud.add_stranger()
    trial = tags.ImageTags(owner=OURS, image="check", build="r0", name="remuda-check-r0-1")
    bench.images.snapshot(server, trial.name, tags.make_image(trial))
    bench.clock.advance(10.0)
    kept = bench.images.snapshot(server, "kept", tags.make_image(trial))
    bench.clock.advance(100_000.0)

    booted(bench)

    assert [each.id for each in bench.images.list_images()] == [kept]


def test_an_image_that_cannot_be_deleted_is_named(bench: Bench, warnings: Pick) -> None:
    """It costs space until somebody deletes it."""
    bench.cloud.fail("delete_image", *([UnauthorizedError("fake: 403")] * 200))

    assert "remuda-check-r1-1 could not be deleted" in warnings(booted(bench))["snapshot"]


def test_a_machine_on_a_volume_is_not_snapshot(bench: Bench) -> None:
    """Its volume's snapshot would stay."""
    for label in bench.pool["labels"].values():  # type: ignore[attr-defined]
        label["boot-from-volume"] = True

    booted(bench)

    assert bench.images.snapshots == []


def test_who_may_not_create_boots_nothing(bench: Bench) -> None:
    """It was told already."""
    bench.inspector.told[CloudRight.CREATE] = Permission(told=Told.NO, why="Policy")

    out = booted(bench)

    assert bench.cloud.orders == {}
    assert rights(out)["create"] is State.PROBLEM
    assert rights(out)["tag"] is State.PROBLEM


def test_a_label_that_cannot_be_made_is_not_booted(bench: Bench) -> None:
    """The others are."""
    bench.pool["labels"]["small"]["image"] = "debian-21"  # type: ignore[index]

    out = booted(bench)

    (small,) = [one for one in out.lines if one.subject == "small"]
    assert small.state is State.UNTESTED
    assert [one["label"] for one in out.facts["boots"]] == ["tested"]


def test_what_a_killed_check_left_is_removed_when_it_is_old(bench: Bench) -> None:
    """A young one may belong to a check that goes on."""

    def left(number: int) -> None:
        ours = tags.ServerTags(
            owner=OURS,
            node=NodeId(f"check-r0-{number}"),
            pool=PoolName("main"),
            label="small",
        )
        bench.cloud.add_stranger(f"old{number}", tags.make(ours))

    left(1)
    bench.clock.advance(3 * 3600.0)
    left(2)

    booted(bench)
    bench.clock.advance(60.0)

    assert [one.name for one in bench.cloud.truth().values()] == ["old2"]


def test_progress_is_told_step_by_step(bench: Bench) -> None:
    """A person who waits sees that something happens."""
    booted(bench)

    assert bench.told[0].startswith("main/small: create ")
    assert "main/tested: mine 0.0 s" in bench.told
