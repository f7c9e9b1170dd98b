"""`remuda image promote, rollback, pin, unpin, revoke, restore`: what launches boot."""

import json
import time
from collections.abc import Sequence

import pytest

from remuda.cli.image.moving import pin, promote, rollback, unpin
from remuda.cli.image.revoking import restore, revoke
from remuda.images.library import read
from remuda.model.build import BuildState
from remuda.model.image import BuildId
from remuda.model.pointer import MoveWhy, Pin, Pointer, encode_pointer
from remuda.model.upload import UploadState
from remuda.runtime.whoami import user_at_host
from remuda.store import paths
from remuda.store.api import Done, Op
from tests.fakes.store import FakeStore
from tests.support.imageharness import ADA, NOW_S, PASSED, PLACES, ImageHarness


@pytest.fixture
def harness() -> ImageHarness:
    """Builds 1 to 3 in two providers, 3 is current."""
    harness = ImageHarness()
    harness.shelf(1, 2, 3)
    return harness


def test_a_rollback_goes_back_everywhere_and_says_so(harness: ImageHarness) -> None:
    """Who, why, and what launches boot now."""
    result = harness.call(rollback, "debian", "--why", "no mirror")

    assert result.exit_code == 0, result.output
    for provider in ("alpha", "beta"):
        pointer = harness.read_pointer(provider)
        assert (pointer.current, pointer.previous) == (2, 1)
        assert pointer.withdrawn[3].who == user_at_host()
        assert pointer.withdrawn[3].why == "no mirror"
        assert pointer.moves[-1].kind is MoveWhy.ROLLBACK
    head, first, second, why, _ = result.stdout.splitlines()
    assert head.split()[:4] == ["IMAGE", "PROVIDER", "BOOTS", "BEFORE"]
    assert first.split()[:4] == ["debian", "alpha", "2", "3"]
    assert second.split()[:4] == ["debian", "beta", "2", "3"]
    assert why == f"debian in alpha, build 3: withdrawn by {user_at_host()}: no mirror"


def test_a_rollback_in_one_provider_leaves_the_other(harness: ImageHarness) -> None:
    """And --json has what it was before."""
    told = {one["provider"]: one for one in harness.json(rollback, "debian", "--provider", "beta")}

    assert (told["alpha"]["boots"], told["alpha"]["before"]) == (3, None)
    assert (told["beta"]["boots"], told["beta"]["before"]) == (2, 3)
    assert told["beta"]["withdrawn"][0]["build"] == 3
    assert harness.read_pointer("alpha").current == 3


def test_a_rollback_of_a_build_moves_only_where_it_is_current(harness: ImageHarness) -> None:
    """One that a provider does not boot any more, or not yet, is not taken one back there."""
    harness.pointer(2, provider="beta", previous=1)

    assert harness.call(rollback, "debian/3").exit_code == 0
    assert [harness.read_pointer(one).current for one in ("alpha", "beta")] == [2, 2]
    again = harness.call(rollback, "debian/3")
    assert (again.exit_code, again.stderr) == (
        1,
        "remuda: build debian/3 is current in no provider\n",
    )


def test_what_is_refused_somewhere_is_told_and_the_rest_is_done(harness: ImageHarness) -> None:
    """With the sentence, and exit code 1."""
    harness.pointer(1, provider="beta")
    result = harness.call(rollback, "debian")

    assert result.exit_code == 1
    assert result.stderr == (
        "remuda: beta: no usable build of debian in beta is older than build 1\n"
    )
    assert harness.read_pointer("alpha").current == 2
    assert harness.read_pointer("beta").current == 1


def _roll_back_s(count: int) -> float:
    """Roll so many images back; return the processor's time for it."""
    harness = ImageHarness()
    for number in range(count):
        harness.shelf(1, 2, image=f"image-{number}")
    begun_s = time.process_time()
    result = harness.call(rollback, *(f"image-{number}" for number in range(count)))
    cost_s = time.process_time() - begun_s
    assert result.exit_code == 0
    assert harness.read_pointer("beta", f"image-{count - 1}").current == 1
    return cost_s


def test_many_images_roll_back_at_a_cost_in_proportion() -> None:
    """Ten times as many do not cost a hundred times as much."""
    # The least of three is the work's own; beside other work processor time grows as well.
    few_s, many_s = (min(_roll_back_s(count) for _ in range(3)) for count in (30, 300))

    assert many_s < 40 * few_s


def test_promote_takes_the_newest_or_a_named_one(harness: ImageHarness) -> None:
    """Never an older one."""
    harness.build(4)
    harness.build(5)
    assert harness.call(promote, "debian/4", "--provider", "alpha").exit_code == 0
    assert harness.read_pointer("alpha").current == 4
    assert harness.read_pointer("beta").current == 3
    assert harness.call(promote, "debian").exit_code == 0
    assert [harness.read_pointer(one).current for one in ("alpha", "beta")] == [5, 5]
    older = harness.call(promote, "debian/4", "--provider", "alpha")
    assert older.exit_code == 1
    assert "is older than build 5" in older.stderr


def test_promote_can_be_the_first_pointer() -> None:
    """Before a builder has moved any."""
    harness = ImageHarness()
    harness.image(last_build=1)
    harness.build(1, providers=["beta"])
    result = harness.call(promote, "debian")

    assert result.exit_code == 1
    assert result.stderr == "remuda: alpha: no build of debian is usable in alpha\n"
    assert harness.read_pointer("beta").current == 1
    assert harness.read_pointer("beta").place == "b" * 12


def test_a_pin_holds_until_it_ends_or_is_taken_away(harness: ImageHarness) -> None:
    """For so long, until a time, or for ever."""
    result = harness.call(pin, "debian/1", "--provider", "alpha", "--until", "8h", "--why", "demo")
    pointer = harness.read_pointer()

    assert result.exit_code == 0, result.output
    assert pointer.pinned is not None
    assert pointer.pinned.until_s is not None
    assert pointer.pinned.until_s - pointer.pinned.word.at_s == 8 * 3600
    assert f"is pinned by {user_at_host()} (7h59m left): demo" in result.stdout.replace(
        "8h", "7h59m"
    )
    refused = harness.call(rollback, "debian", "--provider", "alpha")
    assert "which a rollback would not change: unpin it first" in refused.stderr
    assert harness.call(unpin, "debian").exit_code == 0
    assert harness.read_pointer().pinned is None
    assert harness.call(unpin, "debian").stderr == "remuda: debian is pinned in no provider\n"


@pytest.mark.parametrize(
    ("until", "code", "sentence"),
    [
        ("2999-01-01T00:00+00:00", 0, ""),
        ("2001-01-01T00:00+00:00", 2, "a pin has to end in the future"),
        ("0s", 2, "a pin has to end in the future"),
        ("soon", 2, "--until 'soon' is neither a duration (8h) nor a time"),
        ("-5", 2, "--until '-5' is neither a duration (8h) nor a time"),
    ],
)
def test_the_end_of_a_pin(harness: ImageHarness, until: str, code: int, sentence: str) -> None:
    """Or what is wrong with it."""
    result = harness.call(pin, "debian/2", f"--until={until}")

    assert result.exit_code == code, result.output
    assert sentence in result.stderr


def test_a_build_is_revoked_with_its_children(harness: ImageHarness) -> None:
    """Pointers leave them in the same transaction, two of one place too."""
    harness.image("child", last_build=2)
    harness.build(1, "child", parent=BuildId("debian", 2))
    harness.build(2, "child", parent=BuildId("debian", 3))
    harness.pointer(2, "child", "alpha", previous=1)
    harness.pointer(2, "child", "beta", previous=1)
    told = harness.json(revoke, "debian/3", "--why", "CVE-1")
    after = read(harness.store)

    assert told["builds"] == ["debian/3", "child/2"]
    assert {
        (one["image"], one["provider"], one["boots"], one["before"]) for one in told["boots"]
    } == {
        ("debian", "alpha", 2, 3),
        ("debian", "beta", 2, 3),
        ("child", "alpha", 1, 2),
        ("child", "beta", 1, 2),
    }
    revoked = after.builds[BuildId("child", 2)].value.revoked
    assert revoked is not None
    assert (revoked.inherited, revoked.word.why) == (BuildId("debian", 3), "CVE-1")
    again = harness.call(revoke, "debian/3")
    assert again.exit_code == 1
    assert "was revoked by" in again.stderr

    shown = harness.call(restore, "debian/3")
    assert shown.exit_code == 0, shown.output
    assert "with what was made from it: child/2" in shown.stdout
    assert read(harness.store).builds[BuildId("child", 2)].value.revoked is None
    assert harness.read_pointer("alpha").current == 2


def test_two_providers_of_one_place_are_revoked_together(harness: ImageHarness) -> None:
    """Their pointers touch the same upload, once."""
    for number in (1, 2, 3):
        both = dict.fromkeys(("alpha", "gamma"), PASSED)
        harness.upload(BuildId("debian", number), "alpha", trials=both)
    gamma = Pointer(image="debian", provider="gamma", place=PLACES["alpha"], current=3)
    harness.put(paths.pointer("debian", "gamma"), encode_pointer(gamma))
    harness.pointer(3)

    assert harness.call(revoke, "debian/3").exit_code == 0
    assert harness.read_pointer("gamma").current == 2
    assert harness.read_pointer("alpha").current == 2


def test_the_last_one_is_revoked_by_force_only() -> None:
    """Then launches wait, and that is shown."""
    harness = ImageHarness()
    harness.shelf(1)
    refused = harness.call(revoke, "debian/1")

    assert refused.exit_code == 1
    assert "with --force its launches wait until there is one" in refused.stderr
    assert harness.read_pointer().withdrawn == {}
    forced = harness.call(revoke, "debian/1", "--force", "--why", "leaks a key")
    assert forced.exit_code == 0
    assert "nothing" in forced.stdout
    assert "launches wait: build 1 was taken away by" in forced.stdout
    assert harness.call(restore, "debian/1").exit_code == 0
    assert harness.read_pointer().served(NOW_S) == 1


def test_what_was_withdrawn_is_given_back_in_one_provider(harness: ImageHarness) -> None:
    """It becomes current as others do."""
    harness.call(rollback, "debian")

    assert harness.call(restore, "debian/3", "--provider", "alpha").exit_code == 0
    assert harness.read_pointer("alpha").withdrawn == {}
    assert list(harness.read_pointer("beta").withdrawn) == [3]
    refused = harness.call(restore, "debian/3", "--provider", "alpha")
    assert refused.stderr == "remuda: alpha: build 3 of debian is not withdrawn in alpha\n"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("debain",), "there is no image 'debain'; did you mean 'debian'?"),
        (("debian/9",), "there is no build debian/9; on record: 1, 2, 3"),
        (("debian", "--provider", "alhpa"), "debian is not in a provider 'alhpa'; did you mean"),
        (("../x",), "'../x' is neither an image nor a build, IMAGE/NUMBER"),
        (("debian/0",), "'debian/0' is neither an image nor a build"),
    ],
)
def test_mistakes_are_one_sentence_and_change_nothing(
    harness: ImageHarness, words: tuple[str, ...], sentence: str
) -> None:
    """With what was meant, and exit code 2."""
    before = read(harness.store)
    for command in (rollback, promote):
        result = harness.call(command, *words)
        assert result.exit_code == 2, result.output
        assert sentence in result.stderr
    assert read(harness.store) == before


def test_one_mistake_among_many_images_changes_nothing(harness: ImageHarness) -> None:
    """All are looked at first."""
    assert harness.call(rollback, "debian", "ubuntu").exit_code == 2
    assert harness.read_pointer().current == 3


def test_without_any_image_it_says_that_no_builder_has_started() -> None:
    """Rather than to guess."""
    result = ImageHarness().call(rollback, "debian")

    assert result.exit_code == 2
    assert "none is on record, for no builder has started yet" in result.stderr


# -- writing ---------------------------------------------------------------------------------


class Meddler:
    """Lets something happen before the next commits of a command."""

    def __init__(self, harness: ImageHarness, happens: Sequence[object]) -> None:
        self.left = list(happens)
        connect = harness._connect

        def meddled() -> FakeStore:
            store = connect()
            commit = store.commit

            def later(ops: Sequence[Op]) -> tuple[Done, ...]:
                if self.left:
                    action = self.left.pop(0)
                    if callable(action):
                        action(store)
                return commit(ops)

            store.commit = later  # type: ignore[method-assign]
            return store

        harness._connect = meddled  # type: ignore[method-assign]


def test_who_writes_in_between_is_seen(harness: ImageHarness) -> None:
    """The command judges anew: what was chosen may have become worse."""

    def retire(_store: object) -> None:
        harness.upload(BuildId("debian", 2), "alpha", state=UploadState.RETIRING)

    harness.pointer(3)
    Meddler(harness, [retire])
    assert harness.call(rollback, "debian", "--provider", "alpha").exit_code == 0
    assert harness.read_pointer().current == 1


def test_who_writes_all_the_time_ends_it(harness: ImageHarness) -> None:
    """Not for ever."""

    def touch(_store: object) -> None:
        harness.pointer(3, previous=2)

    Meddler(harness, [touch] * 50)
    result = harness.call(rollback, "debian", "--provider", "alpha")
    assert result.exit_code == 1
    assert "changes all the time; try again" in result.stderr


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("command", "words"),
    [(rollback, ("debian", "--provider", "alpha")), (revoke, ("debian/3",))],
    ids=["rollback", "revoke"],
)
def test_an_answer_that_gets_lost_is_looked_for(
    harness: ImageHarness, when: str, command: object, words: tuple[str, ...]
) -> None:
    """It is done once, whether it had happened or not."""

    def lose(store: FakeStore) -> None:
        store.wire.script(when)

    Meddler(harness, [lose])
    result = harness.call(command, *words)  # type: ignore[arg-type]

    assert result.exit_code == 0, result.output
    assert harness.read_pointer().current == 2
    assert len(harness.read_pointer().moves) == 1


def test_broken_records_hide_no_others(harness: ImageHarness) -> None:
    """A build that cannot be read is no build to go back to."""
    harness.put(paths.build(BuildId("debian", 2)), b"nonsense")
    harness.put(paths.pointer("debian", "beta"), b"nonsense")
    result = harness.call(rollback, "debian")

    assert result.exit_code == 0, result.output
    assert harness.read_pointer().current == 1


def test_json_of_a_refusal_says_why(harness: ImageHarness) -> None:
    """The document is printed whole."""
    harness.pointer(3, provider="beta", pinned=Pin(number=3, word=ADA))
    result = harness.call(rollback, "debian", "--json")
    told = {one["provider"]: one for one in json.loads(result.stdout)}

    assert result.exit_code == 1
    assert told["alpha"]["refused"] is None
    assert "pinned to build 3 in beta by ada@host" in told["beta"]["refused"]
    assert told["beta"]["pinned"]["who"] == "ada@host"


def test_builds_that_are_not_built_cannot_be_promoted(harness: ImageHarness) -> None:
    """Nor those that failed."""
    harness.build(4, providers=[], state=BuildState.FAILED)
    result = harness.call(promote, "debian/4")

    assert result.exit_code == 1
    assert "build 4 of debian is not in alpha" in result.stderr
