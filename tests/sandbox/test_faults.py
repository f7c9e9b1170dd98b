"""The fault plan: what matches, what fires, and what is told about a bad rule."""

import pytest

from sandbox.fault_rules import parse_rule, rule_doc
from sandbox.faults import EffectKind, FaultPlan, Rule, SshMode, Subject, is_due
from sandbox.reading import BadInputError

CREATE = Subject(
    operation="server.create",
    service="compute",
    method="POST",
    path="/compute/R/v2.1/servers",
    name="node-1",
    flavor="m1.tiny",
    image="debian-12",
    metadata={"label": "small"},
)


def rule(**more: object) -> Rule:
    """Return a rule that drops calls."""
    return parse_rule({"id": "r", "effect": "drop", **more})


def kinds(plan: FaultPlan, subject: Subject) -> list[EffectKind]:
    """Return what the plan does to a subject."""
    return [effect.kind for effect in plan.take(subject)]


@pytest.mark.parametrize(
    "match",
    [
        {},
        {"operation": "server.*"},
        {"method": "POST", "path": "servers$"},
        {"name": "node-*", "flavor": "m1.*", "image": "debian-12"},
        {"metadata": {"label": "small"}},
        {"metadata": {"label": "sm*"}, "service": "compute"},
    ],
)
def test_rule_matches(match: dict[str, object]) -> None:
    """Every given member must fit; those not given fit anything."""
    assert kinds(FaultPlan([rule(match=match)]), CREATE) == [EffectKind.DROP]


@pytest.mark.parametrize(
    "match",
    [
        {"operation": "server.list"},
        {"method": "GET"},
        {"path": "^/image"},
        {"name": "other*"},
        {"metadata": {"label": "large"}},
        {"metadata": {"missing": "x"}},
        {"operation": "server.create", "flavor": "m1.large"},
    ],
)
def test_rule_does_not_match(match: dict[str, object]) -> None:
    """One member that does not fit is enough."""
    assert kinds(FaultPlan([rule(match=match)]), CREATE) == []


def test_disabled_rule_neither_fires_nor_counts() -> None:
    """It is as if it were not there."""
    plan = FaultPlan([rule(enabled=False)])

    assert kinds(plan, CREATE) == []
    assert plan.counts("r") == (0, 0)


def test_after_and_count_bound_the_firing() -> None:
    """Skip two, then fire twice, then never again."""
    plan = FaultPlan([rule(after=2, count=2)])

    fired = [bool(plan.take(CREATE)) for _ in range(6)]

    assert fired == [False, False, True, True, False, False]
    assert plan.counts("r") == (6, 2)


def test_rate_is_about_right_and_repeatable() -> None:
    """The same seed draws the same; another rule changes nothing."""

    def run(*more: Rule) -> list[int]:
        plan = FaultPlan([rule(rate=0.3), *more], seed=7)
        return [
            sum(effect.kind is EffectKind.DROP for effect in plan.take(CREATE)) for _ in range(1000)
        ]

    alone = run()
    together = run(parse_rule({"id": "other", "effect": "slow", "rate": 0.5}))

    assert alone == together
    assert 250 < sum(alone) < 350


def test_is_due_never_fires_at_rate_zero() -> None:
    """A draw of exactly 0 does not beat a rate of 0."""
    assert not is_due(rule(rate=0.0), seen=0, fired=0, draw=0.0)


def test_omissions_hide_matching_things_only() -> None:
    """The list call is counted once, however many things it shows."""
    plan = FaultPlan([parse_rule({"id": "lie", "effect": "omit", "match": {"name": "a*"}})])
    listing = Subject(operation="server.list")

    rules = plan.omissions(listing)

    assert kinds(plan, listing) == []
    assert plan.omits(rules, Subject(operation="server.list", name="abc"))
    assert not plan.omits(rules, Subject(operation="server.list", name="bcd"))
    assert plan.counts("lie") == (1, 1)


@pytest.mark.parametrize(
    ("doc", "sentence"),
    [
        ({}, "rule.effect: is required; known are http, slow, drop"),
        ({"effect": "bang"}, "rule.effect: 'bang' is not known; known are http"),
        ({"effect": {"kind": "bang"}}, "rule.effect.kind: 'bang' is not known"),
        ({"effect": {"kind": "http", "status": 200}}, "rule.effect.status: must be at least 400"),
        ({"effect": {"kind": "ssh", "mode": "x"}}, "known are refuse, blackhole, mute, no_route"),
        ({"effect": "drop", "rate": 2}, "rule.rate: must be at least 0 and at most 1, not 2"),
        ({"effect": "drop", "match": {"path": "("}}, "rule.match.path: is not a regular expr"),
        ({"effect": "drop", "match": {"nam": "x"}}, "rule.match.nam: is not a known key (did"),
        (
            {"effect": "boot_error", "match": {"operation": "server.list"}},
            "'server.list' does not go with the effect boot_error, which belongs to server.boot",
        ),
        ({"effect": "drop", "colour": 1}, "rule.colour: is not a known key"),
        ([], "rule: must be a mapping"),
    ],
)
def test_bad_rule_is_refused_with_a_clear_sentence(doc: object, sentence: str) -> None:
    """The field is named, and what is known there."""
    with pytest.raises(BadInputError) as caught:
        parse_rule(doc)

    assert any(sentence in problem for problem in caught.value.problems), caught.value.problems


def test_rule_can_be_put_back_as_it_is_shown() -> None:
    """What GET answers is what PUT takes."""
    asked = {
        "id": "x",
        "match": {"metadata": {"a": "b"}, "name": "n*"},
        "effect": {"kind": "ssh", "mode": "mute", "seconds": 2},
        "count": 3,
    }
    one = parse_rule(asked)

    assert one == parse_rule(rule_doc(one, seen=5, fired=1))
    assert SshMode.MUTE is one.effect.mode
    assert one.match.operation == "server.boot"
