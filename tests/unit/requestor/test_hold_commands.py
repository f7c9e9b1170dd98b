"""Keeping machines for people: `remuda hold`, `extend`, `holds` and `autohold`, and the library."""

from typing import Any, Final

import pytest

from remuda.cli.errors import EXIT_MISTAKE, EXIT_TIMEOUT
from remuda.cli.overview import status
from remuda.model import node as nodes
from remuda.model.autohold import decode_autohold
from remuda.model.hold import Extension, Hold, HoldSource
from remuda.model.holdwish import HOLD_KEY, wish_of
from remuda.model.ids import NodeId
from remuda.model.node import NodeState
from remuda.store import paths
from remuda.store.api import Create
from requestor import holding
from requestor.commands.autohold import autohold
from requestor.commands.extend import extend
from requestor.commands.hold import hold
from requestor.commands.holds import holds
from requestor.errors import HoldRefusedError, InvalidOptionsError
from tests.support.commands import CommandHarness
from tests.support.keeping import NOW_S, Granting
from tests.unit.requestor.conftest import Bench

HELD: Final = Hold(
    owner="ada",
    reason="red",
    source=HoldSource.ZUUL,
    for_s=3600.0,
    since_s=NOW_S,
    ends_s=NOW_S + 3600.0,
)


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look again at once, and give up soon."""
    monkeypatch.setattr(holding, "LOOK_S", 0.001)
    monkeypatch.setattr(holding, "ANSWER_S", 0.02)


class Site:
    """An installation with a node, and a launcher that answers."""

    def __init__(self) -> None:
        self.harness = CommandHarness()
        self.harness.launcher.register("small")
        self.granting = Granting(self.harness.launcher)
        connect = self.granting.connected(self.harness._connect)
        self.harness._connect = connect  # type: ignore[method-assign]

    def node(self, state: NodeState = NodeState.IN_USE, **fields: Any) -> NodeId:
        """Put a node of ada's on record, locked while it is in use."""
        node = self.harness.launcher.ready_node("small", **{"requestor": "ada", **fields})
        self.harness.launcher.set_state(node, state)
        if state is NodeState.IN_USE:
            self.harness.launcher.lock(node)
        return node

    def held(self, one: Hold = HELD) -> NodeId:
        """Put a held node on record."""
        node = self.node(NodeState.HOLD, hold_job="ada")
        self.granting.put(node, one)
        return node


@pytest.fixture
def site() -> Site:
    """Give a site."""
    return Site()


def test_a_node_in_use_is_kept_once_its_job_lets_it_go(site: Site) -> None:
    """One sentence, or JSON."""
    words = ("--reason", "red", "--for", "8h", "--requestor", "ada")
    node = site.node()
    result = site.harness.call(hold, node, *words)
    assert (result.exit_code, result.stdout) == (
        0,
        f"node {node} is kept for ada for 8h, from when its job lets it go\n",
    )
    wish = wish_of(site.harness.launcher.read_node(node))
    assert wish is not None
    assert (wish.owner, wish.reason, wish.for_s) == ("ada", "red", 8 * 3600.0)
    assert wish.contender in site.harness.launcher.locks(node)
    told = site.harness.json(hold, site.node(), *words[:2], *words[4:], "--owner", "eve", "--json")
    assert (told["owner"], told["for_s"]) == ("eve", 7200.0)


def test_the_rule_that_a_hold_breaks_is_said(site: Site) -> None:
    """Nobody's answer, too, with another exit code."""
    site.granting.refused = "here keeps 3 held machines already"
    words = (site.node(), "--reason", "red", "--requestor", "ada")
    result = site.harness.call(hold, *words)
    assert result.exit_code == EXIT_MISTAKE
    assert "is not granted: here keeps 3 held machines" in result.stderr
    site.granting.silent = True
    result = site.harness.call(hold, *words)
    assert result.exit_code == EXIT_TIMEOUT
    assert "has not answered" in result.stderr


@pytest.mark.parametrize(
    ("state", "me", "why"),
    [
        (NodeState.IN_USE, "eve", "is of ada, not of eve: only who holds a node"),
        (NodeState.HOLD, "ada", "is held already, with a reason: `remuda extend"),
        (NodeState.READY, "ada", "only a node that is in use can be kept"),
        (NodeState.USED, "ada", "only a node that is in use can be kept"),
    ],
)
def test_only_who_has_a_node_in_use_may_have_it_kept(
    site: Site, state: NodeState, me: str, why: str
) -> None:
    """With the rule."""
    node = site.node(state)
    result = site.harness.call(hold, node, "--reason", "x", "--requestor", me)
    assert result.exit_code == EXIT_MISTAKE
    assert why in result.stderr
    assert HOLD_KEY not in site.harness.launcher.read_node(node).doc


def test_what_only_a_new_hold_has_is_refused_for_one_that_is_there(site: Site) -> None:
    """An owner who is not heard would have her machine end as somebody else's image."""
    words = ("--snapshot", "--requestor", "ada")
    for more, why in (
        (("--reason", "home"), "--snapshot` without --reason takes it home"),
        (("--owner", "eve"), "--owner is for a machine in use, with --reason"),
    ):
        result = site.harness.call(hold, site.held(), *words, *more)
        assert result.exit_code == EXIT_MISTAKE
        assert why in result.stderr


def test_what_is_no_node_and_no_time_is_said(site: Site) -> None:
    """In one sentence each."""
    for words, why in (
        (("3999999999", "--reason", "x"), "there is no node 3999999999"),
        ((site.node(), "--reason", "x", "--for", "900d"), "write 1 s to 366 d"),
        ((site.node(), "--reason", "x", "--for", "soon"), "soon"),
    ):
        result = site.harness.call(hold, *words, "--requestor", "ada")
        assert result.exit_code == EXIT_MISTAKE
        assert why in result.stderr


def test_its_owner_has_a_hold_extended(site: Site) -> None:
    """Of one that Zuul began, too; a refusal comes with its rule."""
    node = site.held()
    told = site.harness.json(extend, node, "--for", "2h", "--requestor", "ada", "--json")
    assert told["ends_at_s"] == NOW_S + 3 * 3600.0
    said = site.harness.call(extend, node, "--for", "1h", "--requestor", "ada").stdout
    assert "is held until 2033-05-18" in said
    site.granting.refused = "a hold is extended once at most"
    result = site.harness.call(extend, node, "--requestor", "ada")
    assert result.exit_code == EXIT_MISTAKE
    assert "is not extended: a hold is extended once at most" in result.stderr
    result = site.harness.call(extend, site.node(), "--requestor", "ada")
    assert "only what is held can be held for longer" in result.stderr


def test_holds_are_listed_with_what_they_cost(site: Site) -> None:
    """And what became of them; those of one owner, or of all."""
    more = Extension(token="e", by="ada", at_s=NOW_S, ends_s=NOW_S + 3600.0)
    node = site.held()
    full = site.held(Hold(**{**_as_dict(HELD), "lost": "gone", "extended": (more,)}))
    (one, two) = site.harness.json(holds, "--json")
    assert (one["node"], one["owner"], one["source"], one["proven"]) == (node, "ada", "zuul", False)
    assert (one["cores"], one["ram_mib"], one["ends_at_s"]) == (2, 4096, NOW_S + 3600.0)
    assert (two["node"], two["lost"], two["extended"][0]["by"]) == (full, "gone", "ada")
    shown = site.harness.call(holds)
    assert "2 cores, 4 GiB" in shown.stdout
    assert "owners are unproven" in shown.stdout
    assert "no holds" in site.harness.call(holds, "--owner", "eve").stdout


def _as_dict(one: Hold) -> dict[str, Any]:
    return {name: getattr(one, name) for name in Hold.__slots__}


def test_a_wish_that_no_launcher_could_read_is_not_written(site: Site) -> None:
    """It would make all that is wished of the node unreadable, keys of others too."""
    node = site.held()
    words = ("--snapshot", "--share-with", "my project", "--requestor", "ada")
    result = site.harness.call(hold, node, *words)
    assert result.exit_code == EXIT_MISTAKE
    assert "nothing like this can be wished: share_with is 'my project'" in result.stderr
    stored = site.harness.launcher.store.read(paths.node(node))
    assert stored is not None
    assert HOLD_KEY not in nodes.decode(node, stored.value).doc


def test_an_autohold_is_made_listed_and_removed(site: Site) -> None:
    """By its owner, or with --force."""
    words = ("--label", "small", "--job", "unit*", "--reason", "flaky", "--count", "2")
    told = site.harness.json(autohold, "add", *words, "--owner", "ada", "--key", "grace", "--json")
    stored = site.harness.launcher.store.read(paths.autohold(told["id"]))
    assert stored is not None
    one = decode_autohold(told["id"], stored.value)
    assert (one.label, one.job, one.count, one.keys) == ("small", "unit*", 2, ("grace",))
    (listed,) = site.harness.json(autohold, "list", "--json")
    assert (listed["waits"], listed["fired"]) == (True, [])
    assert "label small, job unit*" in site.harness.call(autohold, "list").stdout
    result = site.harness.call(autohold, "remove", told["id"], "--requestor", "eve")
    assert "is of ada, not of eve" in result.stderr
    result = site.harness.call(autohold, "remove", told["id"], "--requestor", "ada")
    assert result.exit_code == 0
    assert "no autoholds" in site.harness.call(autohold, "list").stdout
    said = site.harness.call(autohold, "add", "--label", "small", "--reason", "flaky").stdout
    assert "waits for the next failure of label small" in said
    result = site.harness.call(autohold, "remove", told["id"], "--force")
    assert "there is no autohold" in result.stderr


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((), "--label, --requestor or --job is needed"),
        (("--job", "*" * 20), "--job: a pattern has at most 8 stars"),
        (("--job", "x", "--key", "a\nb"), "--key: a key is one line"),
        (("--job", "x", "--key", "x" * 5000), "--key: a key like this has at most 255"),
        (("--job", "x", "--key", ""), "--key: a key is the name of a developer"),
        (("--job", "x", "--key", "~/.ssh/id.pub"), "is no name of a developer"),
        (("--job", "x", "--key", "ssh-rsa AAAA"), "--key: what was given is cut or damaged"),
        (("--job", "x", "--key", "a", *("--key", "b") * 16), "--key: 16 at most"),
        (("--job", "x", "--until", "400d"), "--until: nothing waits for longer"),
    ],
)
def test_an_autohold_that_no_launcher_would_read_is_refused(
    site: Site, words: tuple[str, ...], why: str
) -> None:
    """Before it is written."""
    result = site.harness.call(autohold, "add", "--reason", "x", *words)
    assert result.exit_code == EXIT_MISTAKE
    assert why in result.stderr
    result = site.harness.call(autohold, "remove", "../x")
    assert "is no id of an autohold" in result.stderr


def test_there_are_no_more_autoholds_than_launchers_look_at(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever relied on one that nobody looks at would wait in vain."""
    monkeypatch.setattr("requestor.commands.autohold.AUTOHOLDS_MAX", 1)
    words = ("--label", "small", "--reason", "flaky")
    assert site.harness.call(autohold, "add", *words).exit_code == 0
    result = site.harness.call(autohold, "add", *words)
    assert result.exit_code == EXIT_MISTAKE
    assert "launchers look at no more" in result.stderr


def test_the_list_names_autoholds_that_launchers_do_not_look_at(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other clients may make as many as they like."""
    words = ("--label", "small", "--reason", "flaky", "--json")
    made = [site.harness.json(autohold, "add", *words)["id"] for _ in range(8)]
    assert "launchers look at" not in site.harness.call(autohold, "list").stdout
    monkeypatch.setattr("remuda.cli.views.holds.AUTOHOLDS_MAX", 7)
    said = site.harness.call(autohold, "list").stdout
    (beyond,) = [one for one in made if f"not yet at {one} (1)" in said]
    assert beyond
    monkeypatch.setattr("remuda.cli.views.holds.AUTOHOLDS_MAX", 1)
    assert " … (7): each takes the place" in site.harness.call(autohold, "list").stdout


def test_an_autohold_for_longer_than_anybody_keeps_a_machine_is_refused(site: Site) -> None:
    """With the rule; as long as a provider does not say how long that is, it is waited for."""
    words = ("add", "--label", "small", "--reason", "x", "--for")
    assert site.harness.call(autohold, *words, "90d").exit_code == 0
    site.harness.launcher.status(max_hold_age_s=14 * 86_400.0)
    result = site.harness.call(autohold, *words, "90d")
    assert "longer than 14d (max-hold-age): --for 90d would keep none" in result.stderr
    assert site.harness.call(autohold, *words, "14d").exit_code == 0


def test_an_autohold_that_cannot_be_read_can_be_removed(site: Site) -> None:
    """With --force alone."""
    store = site.harness.launcher.store
    for bad in ("bad", "two words"):
        store.ensure(paths.autohold(bad))
        assert "cannot be read" in site.harness.call(autohold, "remove", bad).stderr
        assert site.harness.call(autohold, "remove", bad, "--force").exit_code == 0


def test_the_library_keeps_a_node_that_it_holds(bench: Bench) -> None:
    """It stays ours until it is given back; a refusal is an error."""
    pending = bench.client.request("small")
    bench.launcher.lend(pending.id)
    (node,) = pending.accept()
    granting = Granting(bench.launcher)
    granting.connected(lambda: bench.store)()
    node.keep("red", owner="ada", seconds=60.0)
    assert node.valid
    kept = granting.hold(node.id)
    assert kept is not None
    assert (kept.owner, kept.for_s) == ("ada", 60.0)
    granting.refused = "too many"
    with pytest.raises(HoldRefusedError, match="too many"):
        node.keep("red", owner="ada")
    with pytest.raises(InvalidOptionsError):
        node.keep("red", owner="ada", seconds=0.0)
    node.release()


@pytest.mark.parametrize(("raw", "why"), [(b"{}", "schema"), (b"[", ""), (b"", "it is empty")])
def test_an_autohold_that_nobody_can_read_is_named_and_removed_by_force(
    site: Site, raw: bytes, why: str
) -> None:
    """Its record does not say when it is over, nor whose it is: nobody else removes it."""
    store = site.harness.launcher.store
    store.ensure(paths.AUTOHOLDS)
    store.commit([Create(path=paths.autohold("a1"), data=raw)])
    listed = site.harness.call(autohold, "list").stdout
    assert f"broken record: a1: {why}" in listed
    assert "`remuda autohold remove ID --force`" in listed
    assert "broken record: autohold a1: " in site.harness.call(status).stdout
    result = site.harness.call(autohold, "remove", "a1", "--requestor", "ada")
    assert result.exit_code == EXIT_MISTAKE
    assert "autohold a1 cannot be read; --force removes it anyway" in result.stderr
    assert site.harness.call(autohold, "remove", "a1", "--force").exit_code == 0
    assert "no autoholds" in site.harness.call(autohold, "list").stdout
