"""The judge of chaos finds every way in which a good history is spoiled."""

import ast
import sys
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.chaos.judge.cloud import ServerEvent
from tests.chaos.judge.rules import all_rules
from tests.chaos.judge.txnlog import Close, Create, Delete, LogError, Op, Set
from tests.support.source import ROOT
from tests.unit.chaos import past as p
from tests.unit.chaos.past import TERMS, Past, good

Spoiler = Callable[[Past], object]


def _without(kind: type[Op], path: str) -> Callable[[Op], Op | None]:
    return lambda op: None if isinstance(op, kind) and op.path == path else op


def _passed_on(past: Past) -> None:
    past.after("second served", (Set(p.node_path("two"), p.node("two", "ready", "else")),))


def _taken_twice(past: Past) -> None:
    again = (Set(p.node_path("two"), p.node("two", "ready")),)
    back = (Set(p.node_path("two"), p.node("two", "in-use", "second")),)
    past.after("second taken", again, back)


def _promised_twice(past: Past) -> None:
    name = p.request_path("other")
    twice = (Create(name, b'{"state": "fulfilled", "nodes": ["two"]}', p.USER),)
    past.after("second served", twice, (Delete(name),))


def _condemned_in_use(past: Past) -> None:
    past.drop("user died")
    past.after("two condemned", (Close(),), session=p.OTHER)


def _condemned_with_its_lock(past: Past) -> None:
    past.drop("user died")
    lock = f"{p.node_path('two')}/lock/me"
    ops = (Delete(lock), Set(p.node_path("two"), p.node("two", "deleting", "second")))
    past.after("second taken", ops)


def _hold_condemned(past: Past) -> None:
    past.after("three held", (Set(p.node_path("three"), p.node("three", "deleting")),))


def _hold_ended_early(past: Past) -> None:
    held = p.node("three", "hold", state_time=1_700_000_000.0, hold_expiration=100)
    doomed = (Set(p.node_path("three"), p.node("three", "deleting")),)
    past.after("three held", (Set(p.node_path("three"), held),), doomed)


def _condemned_while_promised(past: Past) -> None:
    past.after("second served", (Set(p.launch_path("two"), p.launch("two", "condemned")),))


def _server_dies_in_use(past: Past) -> None:
    past.after("second taken", p.server("two", "deleting"))


def _server_vanishes_in_use(past: Past) -> None:
    past.drop("two deleting", "two deleted")
    past.after("second taken", p.server("two", "deleted"))


def _server_dies_while_held(past: Past) -> None:
    past.after("three held", p.server("three", "deleting"))


def _server_dies_while_promised(past: Past) -> None:
    past.after("second served", p.server("two", "deleting"))


def _neighbours_boot_deleted(past: Past) -> None:
    past.after("four active", p.server("four", "deleting"))


def _strangers_server_deleted(past: Past) -> None:
    past.after("one ready", p.server("", "made", "x"), p.server("", "deleting", "x"))


def _other_installation_deleted(past: Past) -> None:
    theirs = (p.server("n", one, "x", installation="theirs") for one in ("made", "deleting"))
    past.after("one ready", *theirs)


def _too_many(past: Past) -> None:
    ids = ("a", "b", "c")
    past.after("one ready", *(p.server("one", "made", each) for each in ids))
    past.after("two ready", *(p.server("one", "deleting", each) for each in ids))


def _made_without_intent(past: Past) -> None:
    past.after("one buried", p.server("late", "made"))


def _half_an_intent(past: Past) -> None:
    past.change("four intended", _without(Create, p.node_path("four")))
    past.change("four ready", _without(Set, p.node_path("four")))


def _half_a_funeral(past: Past) -> None:
    past.change("one buried", _without(Delete, p.launch_path("one")))


def _node_alone(past: Past) -> None:
    past.after("one ready", (Create(p.node_path("five"), p.node("five", "building")),))


def _buried_alive(past: Past) -> None:
    past.drop("one deleting", "one deleted")


def _leak(past: Past) -> None:
    past.drop("one deleted")


def _phantom(past: Past) -> None:
    past.after("four ready", p.server("four", "deleted"))


def _boot_given_up(past: Past) -> None:
    past.after("four active", (Set(p.launch_path("four"), p.launch("four", "condemned")),))


def _failed(past: Past) -> None:
    past.after("fourth explained", (Set(p.request_path("fourth"), p.request("failed")),))


def _unexplained(past: Past) -> None:
    past.drop("fourth explained")


def _late(past: Past) -> None:
    past.delay("four ready", 70.0)


def _waits_for_ever(past: Past) -> None:
    past.drop("fourth cancelled")


def _promise_never_taken(past: Past) -> None:
    past.change("fourth cancelled", lambda op: Set(op.path, p.request("fulfilled")))  # type: ignore[union-attr]


SPOILED: list[tuple[Spoiler, str, str]] = [
    (_passed_on, "one request", "went from request second to else"),
    (_taken_twice, "one request", "was taken 2 times"),
    (_promised_twice, "one request", "which belongs to second"),
    (_condemned_in_use, "nobody's machine dies", "condemned while it was in-use"),
    (_condemned_with_its_lock, "nobody's machine dies", "condemned while it was in-use"),
    (_hold_condemned, "nobody's machine dies", "condemned while it was hold"),
    (_hold_ended_early, "nobody's machine dies", "condemned while it was hold"),
    (_condemned_while_promised, "nobody's machine dies", "was promised to second"),
    (_server_dies_in_use, "nobody's machine dies", "deleted while it was in use"),
    (_server_vanishes_in_use, "nobody's machine dies", "deleted while it was in use"),
    (_server_dies_while_held, "nobody's machine dies", "deleted while it was held"),
    (_server_dies_while_promised, "nobody's machine dies", "deleted while it was promised"),
    (_neighbours_boot_deleted, "right reason", "the launch of four was booting"),
    (_strangers_server_deleted, "right reason", "carries no tag of ours"),
    (_other_installation_deleted, "right reason", "is theirs's"),
    (_too_many, "limits", "alpha has 4 servers, and may have 3"),
    (_made_without_intent, "intent first", "which has no launch record"),
    (_half_an_intent, "intent first", "launch and node record of four came or went apart"),
    (_half_a_funeral, "intent first", "node and launch record of one came or went apart"),
    (_node_alone, "intent first", "node and launch record of five came or went apart"),
    (_buried_alive, "buried when gone", "one was buried while server server-one lives"),
    (_leak, "nothing is left", "server server-one of node one is left without record"),
    (_phantom, "nothing is left", "node four is ready, but has no server"),
    (_boot_given_up, "good machines are not wasted", "four was given up"),
    (_failed, "requests end", "request fourth failed"),
    (_unexplained, "requests end", "without an explanation"),
    (_late, "requests end", "request fourth waited 7"),
    (_waits_for_ever, "requests end", "request fourth is requested in the end"),
    (_promise_never_taken, "requests end", "request fourth is fulfilled in the end"),
]


def test_a_good_history_is_good() -> None:
    """Nothing is found, and everything was looked at."""
    verdict = good().judged()

    assert verdict.breaches == ()
    assert verdict.seen["servers made"] == 4
    assert "every invariant held" in str(verdict)


@pytest.mark.parametrize(
    ("spoil", "rule", "words"), SPOILED, ids=lambda x: getattr(x, "__name__", "")
)
def test_a_spoiled_history_is_found_out(spoil: Spoiler, rule: str, words: str) -> None:
    """By the rule whose business it is, in its words."""
    past = good()
    spoil(past)
    verdict = past.judged()

    assert [one for one in verdict.breaches if one.rule == rule and words in one.what], str(verdict)


def test_every_rule_has_a_spoiler() -> None:
    """A rule that nothing can break is worth nothing."""
    assert {rule.name for rule in all_rules()} == {rule for _, rule, _ in SPOILED}


def test_what_the_terms_allow_is_no_breach() -> None:
    """A scenario may allow failures and give up boots; a hold that is over may end."""
    past = good()
    _failed(past)
    _boot_given_up(past)
    over = p.node("three", "hold", state_time=1_600_000_000.0, hold_expiration=100)
    doomed = (Set(p.node_path("three"), p.node("three", "deleting")),)
    past.after("three held", (Set(p.node_path("three"), over),), doomed)
    lenient = replace(TERMS, may_fail=True, good_boots=False)

    assert past.judged(lenient).breaches == ()


def test_a_forged_launch_record_is_no_breach_of_its_own() -> None:
    """A scenario that forges one says so; what it causes is judged all the same."""
    past = good()
    forged = (Create(p.launch_path("forged"), p.launch("two", "condemned")),)
    past.after("second taken", forged, p.server("two", "deleting"))

    assert {one.rule for one in past.judged().breaches} == {
        "nobody's machine dies",
        "right reason",
    }


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ground", "transactions are missing"),
        ("first asked", "transactions are missing"),
        ("one intended", "transactions are missing"),
        ("one made", "a journal is not whole"),
    ],
)
def test_a_history_with_a_hole_is_not_judged(name: str, words: str) -> None:
    """What cannot have happened so means that something is missing."""
    past = good()
    past.drop(name)

    with pytest.raises(LogError, match=words):
        past.judged()


def test_the_order_is_that_of_time_and_of_transactions() -> None:
    """A deletion in the millisecond of the write that caused it comes after it."""
    txns, events = good().history()
    at_s = next(
        txn.at_s
        for txn in txns
        if Set(p.launch_path("one"), p.launch("one", "condemned")) in txn.ops
    )
    moved: list[ServerEvent] = [
        replace(one, at_s=at_s) if one.node == "one" and one.what == "deleting" else one
        for one in events
    ]

    assert p.judge(txns, moved, TERMS).breaches == ()


def test_the_judge_imports_nothing_of_ours() -> None:
    """Only the standard library and itself: it cannot share a mistake with what it judges."""
    found = []
    for path in sorted((ROOT / "tests/chaos/judge").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0
                names = [str(node.module)]
            found += [
                f"{path.name}: {name}"
                for name in names
                if name.partition(".")[0] not in sys.stdlib_module_names
                and not name.startswith("tests.chaos.judge.")
            ]

    assert found == []


def test_what_came_later_is_not_looked_at() -> None:
    """Logs and journals are read one after the other; what happened meanwhile is cut off."""
    past = good()
    past.drop("fourth cancelled")
    txns, events = past.history()
    asked = Create(p.request_path("fourth"), p.request("requested"))
    at_s = next(txn.at_s for txn in txns if asked in txn.ops)

    assert p.judge(txns, events, TERMS).breaches
    assert p.judge(txns, events, replace(TERMS, until_s=at_s - 0.01)).breaches == ()
