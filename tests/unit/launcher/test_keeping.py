"""Which keys a held machine opens to: as is wished, each answered once, with reasons."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from launcher.guest.actions import FetchKeys, NoteKeys, SetKeys
from launcher.guest.events import KeysFetched, KeysSet
from launcher.guest.hand_guest import GuestHands
from launcher.guest.keeping import keep_keys
from launcher.guest.orders import key_order, mark_of
from launcher.guest.results import TRIES_MAX
from launcher.guest.writes import note_keys
from launcher.node.view import NodeView
from launcher.policy import compile_policy
from launcher.world import World
from remuda.config.holds import CertificatesFrom, HoldsFrom
from remuda.config.model import Config
from remuda.model import launch as launches
from remuda.model.heldkey import HostKeyChange, HostKeyStep
from remuda.model.hold import Hold, HoldKey, HoldSource
from remuda.model.holdwish import HOLD_KEY, KEYS_MAX, HoldWish, KeyWish, wish_doc
from remuda.model.node import NodeState
from remuda.model.publickey import PublicKey, parse_key
from remuda.runtime.clock import Clock
from remuda.ssh.api import ProofSpec
from remuda.ssh.certificates import authority_line, trust_line
from remuda.ssh.errors import KeySourceError
from remuda.store.api import Set
from tests.fakes.clock import ManualClock
from tests.fakes.prover import FakeProver, Machine
from tests.unit.launcher.works import Works
from tests.unit.launcher.worlds import NOW, add_node, document, of_kind, think
from tests.unit.launcher.worlds import world as bare
from tests.unit.model.test_publickey import ED25519, RSA, TOKENS
from tests.unit.ssh.test_certificates import authority

URL = "https://forge.example.org/bob.keys"
HOLD = Hold(
    owner="ada",
    reason="look",
    source=HoldSource.ASKED,
    for_s=3600.0,
    since_s=NOW.wall_s,
    ends_s=NOW.wall_s + 3600.0,
    host_key=HostKeyChange(step=HostKeyStep.KEPT, at_s=NOW.wall_s, why="this is of keys of people"),
)


def world() -> World:
    """Return a world with developers."""
    doc = document(ssh_key_file="/k")
    doc["developers"] = {"ada": f"{ED25519}\n{TOKENS[0]}", "bob": {"url": URL}}
    made = bare()
    made.adopt_policy(compile_policy(Config.model_validate(doc), "here"))
    return made


def wish(token: str, **fields: Any) -> KeyWish:
    """Return a wish of ada's."""
    return KeyWish(token=token, by="ada", at_s=NOW.wall_s, **fields)


def held(made: World, *wishes: KeyWish, hold: Hold | None = HOLD) -> NodeView:
    """Add a held node of which this is wished."""
    doc = wish_doc(HoldWish(token="w", owner="ada", reason="", at_s=NOW.wall_s, keys=wishes))
    launch = {"hold": hold, "address": "198.18.0.1"}
    view = add_node(made, 1, state=NodeState.HOLD, launch=launch, remuda_hold=doc)
    made.touch_node(view)
    return view


def judged(made: World, view: NodeView) -> object:
    """Return the next step."""
    assert view.launch is not None
    assert view.node is not None
    return keep_keys(made.policy, view, view.launch.hold, view.node, NOW)


def on_record(*tokens: str, **fields: Any) -> Hold:
    """Return a hold with keys."""
    keys = tuple(
        HoldKey(token=one, fingerprint="SHA256:x", name="", account="root", at_s=1.0, **fields)
        for one in tokens
    )
    return replace(HOLD, keys=keys)


def test_a_wish_is_carried_out_and_recorded() -> None:
    """By fingerprint, once; the action is in the plan of the launcher."""
    made = world()
    view = held(made, wish("k1", line=f"{ED25519} ada@host"))
    (action,) = of_kind(think(made), SetKeys)
    key = parse_key(f"{ED25519} ada@host")
    wanted = SetKeys(node=view.id, token="k1", account="root", keys=(key,), name="ada@host")
    assert action == wanted
    works = Works(made)
    works.starter.start(action, NOW)
    ((_, work),) = works.workers.orders
    works.results.take(work(), NOW)
    note = judged(made, view)
    assert isinstance(note, NoteKeys)
    (said,) = note.keys
    assert (said.fingerprint, said.name, said.refused) == (key.fingerprint, "ada@host", None)
    assert view.launch is not None
    view.launch = replace(view.launch, hold=replace(HOLD, keys=note.keys))
    view.keys = type(view.keys)()
    assert judged(made, view) is None


def wished_by(by: str) -> object:
    """Return the next step where somebody wishes a key onto ada's machine, which ci had."""
    made = world()
    holds = HoldsFrom.model_validate({"operators": ["ops-.*"]})
    made.policy = replace(made.policy, holds=holds)
    view = held(made, replace(wish("k1", line=ED25519), by=by))
    assert view.node is not None
    view.node = view.node.with_fields(requestor="ci")
    return judged(made, view)


@pytest.mark.parametrize("by", ["ada", "ops-1"])
def test_its_owner_and_operators_open_a_held_machine(by: str) -> None:
    """Whom it is held for, and whom the configuration names."""
    assert isinstance(wished_by(by), SetKeys)


@pytest.mark.parametrize("by", ["eve", "ci"])
def test_strangers_open_no_held_machine(by: str) -> None:
    """Nor does who had it in use; whatever they write into its record, and with --force."""
    found = wished_by(by)
    assert isinstance(found, NoteKeys)
    assert found.keys[0].refused == ("it is held for ada: only they, or an operator, may change it")


def test_nothing_is_put_onto_what_is_not_held() -> None:
    """Whatever the record of the node says: it is a requestor's."""
    made = world()
    view = held(made, wish("k1", line=ED25519), hold=None)
    assert judged(made, view) is None
    view.launch = replace(view.launch, hold=replace(HOLD, since_s=None, ends_s=None))  # type: ignore[type-var]
    assert judged(made, view) is None


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"line": f'command="sh" {ED25519}'}, "has options before the key"),
        ({"line": "nonsense"}, "is no public key"),
        ({"developer": "eve"}, "has no such name in developers"),
        ({"line": ED25519, "account": "-oProxyCommand=x"}, "no name of an account"),
        ({"line": ED25519, "account": "a b"}, "no name of an account"),
    ],
)
def test_what_is_refused_is_said(fields: dict[str, Any], why: str) -> None:
    """In the record, and the machine is not asked."""
    made = world()
    view = held(made, wish("k1", **fields))
    note = judged(made, view)
    assert isinstance(note, NoteKeys)
    assert why in str(note.keys[0].refused)


def test_developers_by_name() -> None:
    """Their keys are in the configuration, or where that says."""
    made = world()
    view = held(made, wish("k1", developer="ada", account="zuul"))
    action = judged(made, view)
    assert isinstance(action, SetKeys)
    assert (len(action.keys), action.name, action.account) == (2, "ada", "zuul")
    view = held(world(), wish("k1", developer="bob"))
    assert judged(made, view) == FetchKeys(node=view.id, url=URL)
    view.keys = replace(view.keys, fetched={URL: (parse_key(RSA),)})
    assert isinstance(judged(made, view), SetKeys)
    view.keys = replace(view.keys, fetched={URL: "it hangs"})
    note = judged(made, view)
    assert isinstance(note, NoteKeys)
    assert note.keys[0].refused == "it hangs"


def test_no_hold_has_more_keys_than_its_record_takes() -> None:
    """Or those that fall out would be put there again and again."""
    made = world()
    hold = on_record(*(f"k{n}" for n in range(KEYS_MAX - 1)))
    wishes = [wish(f"k{n}", line=ED25519) for n in range(KEYS_MAX - 1)]
    view = held(made, *wishes, wish("new", developer="ada"), hold=hold)
    note = judged(made, view)
    assert isinstance(note, NoteKeys)
    assert note.keys[0].refused == f"a hold has {KEYS_MAX} keys at most"


def test_no_refusal_makes_a_record_forget_a_key_that_is_on_the_machine() -> None:
    """Else nobody would take it off: whoever wishes nonsense, again and again, is told so."""
    made, there = world(), [f"k{n}" for n in range(KEYS_MAX)]
    view = held(made, hold=on_record(*there))
    hold = on_record(*there)
    for turn in range(4):
        wishes = tuple(wish(f"new{turn}-{n}", line="nonsense") for n in range(KEYS_MAX))
        doc = wish_doc(HoldWish(token="w", owner="ada", reason="", at_s=1.0, keys=wishes))
        assert view.node is not None
        assert view.launch is not None
        view.node = view.node.with_fields(**{HOLD_KEY: doc})
        while isinstance(note := judged(made, view), NoteKeys):
            (written,) = note_keys(made, view, note)
            assert isinstance(written, Set)
            view.launch = launches.decode(view.id, written.data)
            assert view.launch.hold is not None
            assert view.launch.hold.keys[: len(hold.keys)] == hold.keys
        assert note == SetKeys(node=view.id, token="k0", account="root")


def test_a_wish_that_is_taken_back_takes_its_keys_off() -> None:
    """Of what was refused only the words go; what cannot be read changes nothing."""
    made = world()
    view = held(made, wish("k2", line=RSA), hold=on_record("k1", "k2"))
    assert judged(made, view) == SetKeys(node=view.id, token="k1", account="root")
    view = held(world(), hold=on_record("k1", refused="no"))
    assert judged(made, view) == NoteKeys(node=view.id, token="k1", keys=())
    assert view.node is not None
    view.node = view.node.with_fields(**{HOLD_KEY: {"token": 7}})
    assert judged(made, view) is None
    view.node = view.node.with_fields(**{HOLD_KEY: None})
    assert judged(made, view) is not None


def tried(view: NodeView, *keys: PublicKey, why: str | None, again: bool = False) -> KeysSet:
    """Return what came of a visit."""
    return KeysSet(
        node=view.id, token="k1", account="root", keys=keys, name="", why=why, again=again
    )


def test_a_machine_that_does_not_answer_is_tried_again() -> None:
    """A few times for a new key; to take one off as long as it is held."""
    made = world()
    works = Works(made)
    view = held(made, wish("k1", line=RSA))
    away = tried(view, parse_key(RSA), why="it is away", again=True)
    for _ in range(TRIES_MAX - 1):
        works.results.take(away, NOW)
        assert view.keys.token is None
    works.results.take(away, NOW)
    assert view.keys.tried[0].refused == "it is away"
    view.keys = type(view.keys)()
    works.results.take(tried(view, why="it is away"), NOW)
    assert (view.keys.token, view.patience.retry_s > NOW.mono_s) == (None, True)
    works.results.take(tried(view, why=None), NOW)
    assert (view.keys.token, view.keys.tried) == ("k1", ())
    works.results.take(KeysFetched(node=view.id, url=URL, found="no"), NOW)
    assert view.keys.fetched == {URL: "no"}


def test_another_account_is_entered_as_root_by_that_account_itself() -> None:
    """The login of the launcher stays as it is."""
    made = world()
    view = held(made)
    own = SetKeys(node=view.id, token="k1", account="root", keys=(parse_key(RSA),))
    spec = key_order(view, made.policy, own)
    assert isinstance(spec, ProofSpec)
    assert spec.setup is not None
    assert (spec.setup.as_root, spec.setup.arguments) == (False, (RSA, mark_of("k1")))
    spec = key_order(view, made.policy, replace(own, account="zuul", keys=()))
    assert isinstance(spec, ProofSpec)
    assert spec.setup is not None
    assert (spec.setup.as_root, spec.setup.arguments[:3]) == (True, ("", mark_of("k1"), "zuul"))
    assert spec.login.user == "root"


def test_a_label_that_is_gone_is_said_by_the_visit() -> None:
    """And root is the account that is meant."""
    made = world()
    view = held(made, wish("k1", line=RSA))
    made.policy = replace(made.policy, making={})
    action = judged(made, view)
    assert isinstance(action, SetKeys)
    assert action.account == "root"
    assert "not in the configuration" in str(key_order(view, made.policy, action))


def test_the_hand_fetches_within_its_time() -> None:
    """And says in a sentence why there are none."""

    def fetcher(url: str, _clock: Clock) -> tuple[PublicKey, ...]:
        if url != URL:
            raise KeySourceError("it hangs")
        return (parse_key(RSA),)

    made = world()
    view = held(made)
    prover = FakeProver({"198.18.0.1": Machine()})
    one = GuestHands(prover=prover, stopped=lambda: False, clock=ManualClock(), fetcher=fetcher)
    good = one.fetch(FetchKeys(node=view.id, url=URL))
    assert good == KeysFetched(node=view.id, url=URL, found=(parse_key(RSA),))
    assert one.fetch(FetchKeys(node=view.id, url="https://x/")).found == "it hangs"


def certifying(made: World, path: str) -> None:
    """Let the site have an authority."""
    certificates = CertificatesFrom(ca_key_file=path, most=600.0)
    made.policy = replace(made.policy, holds=HoldsFrom(certificates=certificates))


def test_a_certificate_ends_with_its_hold_and_is_trusted(tmp_path: Path) -> None:
    """New machines trust the authority from their start on, each for its own hold."""
    made = world()
    view = held(made, wish("k1", line=ED25519, certify=True))
    note = judged(made, view)
    assert isinstance(note, NoteKeys)
    assert "has no holds: certificates:" in str(note.keys[0].refused)
    path = authority(tmp_path)
    certifying(made, path)
    action = judged(made, view)
    assert isinstance(action, SetKeys)
    assert action.certify_until_s == NOW.wall_s + 600.0
    assert view.launch is not None
    view.launch = replace(view.launch, hold=replace(HOLD, ends_s=NOW.wall_s + 5.0))
    action = judged(made, view)
    assert isinstance(action, SetKeys)
    assert action.certify_until_s == NOW.wall_s + 5.0
    works = Works(made)
    works.starter.start(action, NOW)
    ((_, work),) = works.workers.orders
    event = work()
    assert isinstance(event, KeysSet)
    assert str(event.certificate).startswith("ssh-ed25519-cert-v01@openssh.com ")
    prover = works.starter.proving.prover
    assert isinstance(prover, FakeProver)
    setup = prover.orders[-1].setup
    assert setup is not None
    assert setup.arguments[0] == trust_line(authority_line(path), view.id)
    works.results.take(event, NOW)
    assert view.keys.tried[0].certificate == event.certificate
    for gone, why in ((str(tmp_path / "none"), "No such file"), (None, "no authority")):
        hands = GuestHands(
            prover=prover, stopped=lambda: False, clock=ManualClock(), authority=gone
        )
        failed = hands.set_keys(action, key_order(view, made.policy, action))
        assert why in str(failed.why)
        assert failed.certificate is None


def test_refusals_that_nobody_wishes_any_more_make_room() -> None:
    """Before new wishes are answered, or these would be refused for them."""
    made = world()
    refused = on_record(*(f"no{n}" for n in range(KEYS_MAX)), refused="no").keys
    view = held(made, wish("new", line=ED25519), hold=replace(HOLD, keys=refused))
    assert judged(made, view) == NoteKeys(node=view.id, token="no0", keys=())
    assert view.launch is not None
    view.launch = replace(view.launch, hold=replace(HOLD, keys=refused[:0]))
    assert isinstance(judged(made, view), SetKeys)
    # Of a wish that is still there the refusal stays: it is its answer.
    view = held(made, wish("no0", line=ED25519), hold=replace(HOLD, keys=refused[:1]))
    assert judged(made, view) is None
