"""A held machine becomes an image for somebody else: entered, quieted, kept, shared, ended."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from builder.place.sites import Sites
from builder.takehome.hand_end import EndingHand
from builder.takehome.hand_offer import COMMUNITY
from builder.takehome.tasks import TakeHomeTask
from remuda.cloud.api import BadOrderError
from remuda.cloud.image_store import ImageEdit, Visibility
from remuda.config.images import SecretFrom
from remuda.model import tags
from remuda.model.ids import ReplicaId
from remuda.model.takehome import (
    ATTEMPTS_MAX,
    EndWish,
    SnapshotAnswer,
    TakeHomeState,
    encode_end_wish,
)
from remuda.store import paths
from remuda.store.api import Create, Set
from tests.unit.builder.handbench import ME, OWNER, PROVIDER, Bench
from tests.unit.builder.takings import DEVS, WISH, Held, image, make, refuse

SECRET: Final = "swordfish-and-more"


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Held]:
    """Give a held machine, all in memory."""
    bench = Bench(tmp_path)
    yield Held(bench)
    bench.close()


def test_a_held_machine_becomes_an_image_of_its_developer_s(held: Held) -> None:
    """Quieted but for its evidence, stopped, snapshotted, shared, with its end on it."""
    assert make(held) is None
    one, made = held.one, image(held)
    assert (one.state, one.cloud_image, one.quiet) == (TakeHomeState.WHOLE, made.id, True)
    assert (one.flavor, one.cloud, one.username) == ("disk", "north", "debian")
    assert (one.shared, one.trouble) == (True, None)
    assert one.ends_s == pytest.approx(held.bench.clock.now_s() + WISH.for_s, abs=30.0)
    assert (made.visibility, made.hidden) == (Visibility.SHARED, False)
    assert DEVS in held.bench.images.members(made.id)
    assert made.properties[tags.ENDS] == str(round(one.ends_s or 0.0))
    assert made.properties[tags.BUILD] == held.id
    quiet = next(s for s in held.bench.session.scripts if s.name == "quiet")
    kinds = dict(quiet.environment)["REMUDA_QUIET_KINDS"].split()
    assert not {"logs", "journal", "cores", "temporary-files", "history", "packages"} & set(kinds)
    assert {"host-keys", "machine-id", "login-keys", "cloud-init-state"} <= set(kinds)
    assert (one.login_key or "").split()[1] in dict(quiet.environment)["REMUDA_LOGIN_KEYS"]
    assert [s.name for s in held.bench.session.scripts] == ["host keys", "quiet"]


def test_it_is_on_record_before_the_machine_is_changed(held: Held) -> None:
    """Who takes over knows by it that nobody can tell what is left."""
    seen: list[tuple[str, bool]] = []
    held.bench.session.before = lambda name: seen.append((name, held.one.quieting_s is not None))
    make(held)
    assert seen == [("host keys", False), ("quiet", True)]


def test_secrets_that_are_named_are_looked_for(held: Held) -> None:
    """A value that is not there ends it before the machine is entered."""
    sources = {"TOKEN": SecretFrom(environment="TOKEN")}
    assert "TOKEN" in (make(held, secrets=sources) or "")
    assert held.one.state is TakeHomeState.FAILED
    assert held.bench.logins == []
    held.put(state=TakeHomeState.ASKED, attempt=0)
    assert make(held, secrets=sources, environ={"TOKEN": SECRET}) is None
    quiet = next(s for s in held.bench.session.scripts if s.name == "quiet")
    assert SECRET in dict(quiet.environment)["REMUDA_NEEDLES"]
    assert SECRET not in str(held.one)


GONE: Final[dict[str, tuple[Callable[[Held], None], str]]] = {
    "released": (lambda held: held.bench.change_node(held.id, state="used"), "is not held any"),
    "refused": (
        lambda held: held.change(take_home=SnapshotAnswer(wish=WISH, refused="no")),
        "was not given for this",
    ),
    "another order": (
        lambda held: held.change(take_home=SnapshotAnswer(wish=replace(WISH, token="s2"))),
        "has another order",
    ),
    "never granted": (lambda held: held.change(take_home=None), "was not given for this"),
    "another server": (
        lambda held: held.bench.change_node(held.id, external_id="of-a-stranger"),
        "names another server",
    ),
    "nobody lets us in": (lambda held: setattr(held, "guest", "locked out"), "locked out"),
}


@pytest.mark.parametrize("case", GONE)
def test_a_machine_that_is_not_ours_to_take_is_left(held: Held, case: str) -> None:
    """Whatever the record of the image says: others may have written the node's."""
    spoil, why = GONE[case]
    spoil(held)
    assert why in (make(held) or "")
    assert held.one.state is TakeHomeState.FAILED
    assert "quiet" not in [s.name for s in held.bench.session.scripts]


def test_our_own_configuration_is_asked_too(held: Held) -> None:
    """A builder's may differ from the launcher's."""
    assert "no image is made of label small" in (
        make(held, refusal="no image is made of label small") or ""
    )
    assert held.bench.logins == []


def test_a_snapshot_of_a_builder_that_died_is_found_by_its_name(held: Held) -> None:
    """It is not asked for twice."""
    assert make(held) is None
    first = image(held)
    held.put(state=TakeHomeState.MAKING, owner=ReplicaId("dead"), cloud_image=None)
    assert make(held) is None
    assert (image(held).id, held.one.cloud_image) == (first.id, first.id)


def test_attempts_have_an_end(held: Held) -> None:
    """A builder that dies of it each time does not go on for ever."""
    held.put(state=TakeHomeState.MAKING, attempt=ATTEMPTS_MAX)
    assert "came to no end" in (make(held) or "")


def test_what_the_cloud_does_not_share_is_an_image_all_the_same(held: Held) -> None:
    """It is said, and the image is ours alone."""
    held.bench.images.share = refuse  # type: ignore[method-assign,assignment]
    assert make(held) is None
    assert (held.one.state, held.one.shared) == (TakeHomeState.WHOLE, False)
    assert held.one.trouble == "it is not shared: not here"


def test_public_is_what_the_cloud_makes_of_it(held: Held) -> None:
    """Most clouds let operators alone publish: then whoever knows the id."""
    real = held.bench.images.set_visibility

    def not_public(image_id: str, visibility: Visibility, **more: Any) -> None:
        if visibility is Visibility.PUBLIC:
            raise BadOrderError("not here")
        real(image_id, visibility, **more)

    held.bench.images.set_visibility = not_public  # type: ignore[method-assign,assignment]
    wish = replace(WISH, share_with=None, public=True)
    held.put(wish=wish)
    held.change(take_home=SnapshotAnswer(wish=wish, begun=True))
    assert make(held) is None
    assert image(held).visibility is Visibility.COMMUNITY
    assert (held.one.shared, held.one.trouble) == (True, COMMUNITY)


# -- its end ---------------------------------------------------------------------------------------


def end(held: Held) -> str | None:
    """End it once; return why it is not gone."""
    bench = held.bench
    sites = Sites(lambda: {PROVIDER: bench.images})
    hand = EndingHand(bench.store, bench.clock, OWNER.installation, sites)
    return hand.end(TakeHomeTask(record=held.stored, me=ME)).why


def gone(held: Held) -> bool:
    """Whether neither image nor record is left."""
    left = held.bench.others.read(paths.take_home(held.id))
    return left is None and held.bench.images.list_images() == ()


def test_an_image_goes_when_its_time_is_over(held: Held) -> None:
    """Not before."""
    make(held)
    assert "its time is not over" in (end(held) or "")
    held.bench.clock.advance(WISH.for_s + 60.0)
    assert end(held) is None
    assert gone(held)


def test_an_image_goes_when_somebody_says_so(held: Held) -> None:
    """With the word."""
    make(held)
    path = paths.take_home_end(held.id)
    held.bench.others.commit([Create(path=path, data=encode_end_wish(EndWish(by="ada", at_s=1.0)))])
    assert end(held) is None
    assert gone(held)
    assert held.bench.others.read(path) is None


def test_no_record_alone_has_an_image_deleted(held: Held) -> None:
    """The cloud's tags must name the node, and ZooKeeper must be ours."""
    make(held)
    ours = image(held)
    held.bench.clock.advance(WISH.for_s + 60.0)
    held.bench.images.edit_image(ours.id, ImageEdit(name="of somebody else"))
    assert "do not name node" in (end(held) or "")
    held.bench.images.edit_image(ours.id, ImageEdit(name=ours.name))
    stored = held.bench.others.read(paths.INSTALLATION)
    assert stored is not None
    held.bench.others.commit([Set(path=stored.path, data=b"other", version=stored.version)])
    assert "installation has changed" in (end(held) or "")
    assert image(held).id == ours.id


def test_a_snapshot_that_may_yet_come_keeps_its_record(held: Held) -> None:
    """Nobody would find it without."""
    make(held)
    held.put(state=TakeHomeState.FAILED, cloud_image=None, cloud_name="other", asked_by_s=1e12)
    held.bench.clock.advance(1e6)
    assert "may still arrive" in (end(held) or "")
    held.put(asked_by_s=0.0)
    assert end(held) is None


# -- judged ----------------------------------------------------------------------------------------
