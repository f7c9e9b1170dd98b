"""`remuda extend`, `release` and `holds` of machines that became images, or did not."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import pytest

from remuda.cli.errors import EXIT_MISTAKE, EXIT_TIMEOUT
from remuda.model import launch as launches
from remuda.model.hold import Hold, HoldSource
from remuda.model.holdwish import SnapshotWish
from remuda.model.ids import NodeId
from remuda.model.node import NodeState
from remuda.model.takehome import (
    EndWish,
    MoreTime,
    SnapshotAnswer,
    TakeHome,
    TakeHomeState,
    decode_end_wish,
    decode_take_home,
    encode_end_wish,
    encode_take_home,
)
from remuda.store import paths
from remuda.store.api import Create, Delete, Set
from requestor import takinghome
from requestor.commands.extend import extend
from requestor.commands.holds import holds
from requestor.commands.release import release
from tests.support.commands import CommandHarness
from tests.support.keeping import NOW_S, Granting

WISH: Final = SnapshotWish(token="s1", share_with=None, public=False, for_s=60.0)
HELD: Final = Hold(
    owner="ada",
    reason="red",
    source=HoldSource.ZUUL,
    for_s=3600.0,
    since_s=NOW_S,
    ends_s=NOW_S + 3600.0,
)
ADA: Final = ("--requestor", "ada")


class Site:
    """A held node, its launch and its image; a builder that answers when somebody looks.

    Attributes:
        answer: What the builder makes of a wish for more time; None: it is not there.
    """

    def __init__(self) -> None:
        self.harness = CommandHarness()
        self.harness.launcher.register("small")
        self.store = self.harness.zookeeper.connect()
        self.store.ensure(paths.TAKE_HOME, paths.TAKE_HOME_ENDS)
        ready = self.harness.launcher.ready_node("small", requestor="ada", hold_job="ada")
        self.node = NodeId(ready)
        self.harness.launcher.set_state(ready, NodeState.HOLD)
        Granting(self.harness.launcher).put(self.node, HELD)
        self.answer: Callable[[TakeHome, EndWish], TakeHome] | None = None
        connect = self.harness._connect

        def watched() -> object:
            store = connect()
            read = store.read_fresh

            def looked(names: list[str]) -> object:
                self._work()
                return read(names)

            store.read_fresh = looked  # type: ignore[method-assign,assignment]
            return store

        self.harness._connect = watched  # type: ignore[method-assign,assignment]

    def image(self, state: TakeHomeState, **changes: object) -> None:
        """Put the record of its image there."""
        one = TakeHome(
            node=self.node,
            state=state,
            wish=WISH,
            provider="alpha",
            pool="main",
            label="small",
            by="ada",
        )
        data = encode_take_home(replace(one, **changes))  # type: ignore[arg-type]
        self.store.commit([Create(path=paths.take_home(self.node), data=data)])

    def answered(self, answer: SnapshotAnswer) -> None:
        """Let the launcher answer that it be an image."""
        path = paths.launch("alpha", self.node)
        stored = self.store.read(path)
        assert stored is not None
        launch = replace(launches.decode(self.node, stored.value), take_home=answer)
        self.store.commit([Set(path=path, data=launches.encode(launch), version=stored.version)])

    def wish(self) -> EndWish | None:
        """Return what is wished of its end."""
        stored = self.store.read(paths.take_home_end(self.node))
        return None if stored is None else decode_end_wish(self.node, stored.value)

    def _work(self) -> None:
        wish, stored = self.wish(), self.store.read(paths.take_home(self.node))
        if wish is None or wish.token is None or stored is None or self.answer is None:
            return
        after = self.answer(decode_take_home(self.node, stored.value), wish)
        told = Set(path=stored.path, data=encode_take_home(after), version=-1)
        self.store.commit([told, Delete(path=paths.take_home_end(self.node))])

    def end_wish(self, wish: EndWish) -> None:
        """Wish an end, as another process does."""
        data = encode_end_wish(wish)
        self.store.commit([Create(path=paths.take_home_end(self.node), data=data)])


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Site:
    """Give a site where nobody waits."""
    monkeypatch.setattr(takinghome, "LOOK_S", 0.001)
    monkeypatch.setattr(takinghome, "BUILDER_S", 0.02)
    return Site()


def granted(one: TakeHome, wish: EndWish) -> TakeHome:
    """Keep it for as much longer."""
    more = MoreTime(token=wish.token or "", by=wish.by, at_s=wish.at_s)
    return replace(one, ends_s=(one.ends_s or 0.0) + wish.for_s, more=more)


def refused(one: TakeHome, wish: EndWish) -> TakeHome:
    """Keep it no longer."""
    more = MoreTime(token=wish.token or "", by=wish.by, at_s=wish.at_s, refused="20 days at most")
    return replace(one, more=more)


def deleted(one: TakeHome, _wish: EndWish) -> TakeHome:
    """Delete it."""
    return replace(one, state=TakeHomeState.ENDING)


def test_an_image_is_kept_for_longer(site: Site) -> None:
    """By the number of the node that its machine was; one sentence, or JSON."""
    site.image(TakeHomeState.WHOLE, cloud_image="7f3c", ends_s=1e6)
    site.answer = granted
    result = site.harness.call(extend, site.node, "--for", "1d", *ADA)
    assert (result.exit_code, result.stdout) == (
        0,
        f"image 7f3c of node {site.node} is kept until 1970-01-13 13:46 UTC\n",
    )
    told = site.harness.json(extend, site.node, "--for", "1d", *ADA)
    assert told == {"node": site.node, "owner": "ada", "ends_at_s": 1e6 + 2 * 86_400.0}


@pytest.mark.parametrize(
    ("answer", "code", "why"),
    [
        (refused, EXIT_MISTAKE, "20 days at most"),
        (None, EXIT_TIMEOUT, "no builder has answered"),
        (deleted, 1, "is deleted, and not kept"),
    ],
)
def test_why_an_image_is_not_kept_for_longer_is_said(
    site: Site, answer: Callable[[TakeHome, EndWish], TakeHome] | None, code: int, why: str
) -> None:
    """Each with its exit code."""
    site.image(TakeHomeState.WHOLE, cloud_image="7f3c", ends_s=1e6)
    site.answer = answer
    result = site.harness.call(extend, site.node, *ADA)
    assert (result.exit_code, why in result.stderr) == (code, True), result.stderr


def test_a_word_for_its_end_takes_the_place_of_one_for_more_time(site: Site) -> None:
    """And never the other way round."""
    site.image(TakeHomeState.WHOLE, cloud_image="7f3c", ends_s=1e6)
    site.end_wish(EndWish(by="ada", at_s=1.0, token="old", for_s=60.0))
    assert site.harness.call(release, site.node, *ADA).exit_code == 0
    wish = site.wish()
    assert wish is not None
    assert wish.token is None
    assert site.harness.call(release, site.node, *ADA).exit_code == 0
    result = site.harness.call(extend, site.node, *ADA)
    assert (result.exit_code, "is to be deleted already" in result.stderr) == (1, True)


@pytest.mark.parametrize("state", [TakeHomeState.ASKED, TakeHomeState.MAKING])
def test_a_machine_that_becomes_an_image_is_not_given_back(
    site: Site, state: TakeHomeState
) -> None:
    """There would be neither; whoever means it says so."""
    site.image(state)
    result = site.harness.call(release, site.node, *ADA)
    assert (result.exit_code, "is becoming an image" in result.stderr) == (EXIT_MISTAKE, True)
    assert site.harness.launcher.read_node(site.node).state is NodeState.HOLD
    assert site.harness.call(release, site.node, "--force", *ADA).exit_code == 0
    assert site.harness.launcher.read_node(site.node).state is NodeState.USED


def note(site: Site) -> str | None:
    """Return what the hold's row says of an image."""
    (row,) = [one for one in site.harness.json(holds) if "proven" in one]
    said: str | None = row["image"]
    if said is not None:
        assert said.split(";")[0][:40] in site.harness.call(holds).stdout
    return said


def test_a_hold_shows_why_it_became_no_image(site: Site) -> None:
    """What its launcher refused, and what its builder met."""
    assert note(site) is None
    site.answered(SnapshotAnswer(wish=WISH, refused="label small is none of those"))
    assert note(site) == "no image: label small is none of those"
    site.answered(SnapshotAnswer(wish=WISH))
    assert note(site) == "becomes an image once its job lets it go"
    site.answered(SnapshotAnswer(wish=WISH, begun=True))
    assert note(site) is None
    site.image(TakeHomeState.FAILED, failure="quiet: secret in /tmp/left")
    assert note(site) == "there is no image: quiet: secret in /tmp/left; the hold is as it was"


def test_an_image_is_its_owners_to_give_back(site: Site) -> None:
    """Not of whoever had its machine in use, unless its record does not say by whose word."""
    site.image(TakeHomeState.WHOLE, requestor="ci", source=HoldSource.AUTOHOLD)
    result = site.harness.call(release, site.node, "--requestor", "ci")
    assert result.exit_code == EXIT_MISTAKE
    assert f"the image of node {site.node} is of ada, not ci; --force takes it" in result.stderr
    assert site.wish() is None
    stored = site.store.read(paths.take_home(site.node))
    assert stored is not None
    older = replace(decode_take_home(site.node, stored.value), source=None)
    site.store.commit([Set(path=stored.path, data=encode_take_home(older), version=-1)])
    assert site.harness.call(release, site.node, "--requestor", "ci").exit_code == 0
