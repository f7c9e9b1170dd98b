"""The plan of faults: which of the things asked of the cloud go wrong, and how.

Matching is pure; :class:`FaultPlan` adds the memory (how often a rule matched and fired) and
the seeded draws.  Who asks for effects: ``web/gate.py`` for every API call, and
``compute/lifecycle.py`` for boots (operation ``server.boot``).
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator, ValidationInfo

from sandbox.reading import (
    SECTION,
    Flag,
    Number,
    Pairs,
    Section,
    Text,
    WrongKeyError,
    given,
    key,
    number,
    whole,
)


class EffectKind(StrEnum):
    """What a rule may do."""

    HTTP = "http"  # answer with a status instead of working
    SLOW = "slow"  # wait before working
    DROP = "drop"  # close the connection, nothing done
    LOSE_REPLY = "lose_reply"  # do the work, then close the connection
    QUOTA = "quota"  # refuse in Nova's words for an exceeded quota
    CUT = "cut"  # the data of an image or object ends in the middle
    GARBLE = "garble"  # one byte of such data arrives as another
    OMIT = "omit"  # leave matching things out of a list
    BOOT_ERROR = "boot_error"  # the server ends in ERROR with a fault
    BOOT_HANG = "boot_hang"  # the server stays in BUILD
    BOOT_SLOW = "boot_slow"  # the boot takes longer
    SSH = "ssh"  # ACTIVE, but not reachable as it should be
    NO_KEY = "no_key"  # nobody's key is let in
    WRONG_KEY = "wrong_key"  # only a stranger's key is let in
    WRONG_HOST_KEY = "wrong_host_key"  # another host key than the injected one
    DIES = "dies"  # the machine dies some time after ACTIVE
    DELETE_ERROR = "delete_error"  # the delete ends in ERROR
    DELETE_HANG = "delete_hang"  # the delete is accepted and not done for long
    SNAPSHOT_ERROR = "snapshot_error"  # the image of a snapshot disappears, as Nova does it
    SNAPSHOT_HANG = "snapshot_hang"  # the snapshot stays in saving
    SNAPSHOT_QUIESCE = "snapshot_quiesce"  # refused: the guest agent does not answer
    SNAPSHOT_VANISH = "snapshot_vanish"  # the image becomes active, and is gone after that
    SNAPSHOT_UNHASHED = "snapshot_unhashed"  # the image has no hash, as on Ceph
    SNAPSHOT_UNBOOTABLE = "snapshot_unbootable"  # nothing that boots from the image comes up
    DIRTY_STOP = "dirty_stop"  # a shutdown takes its whole limit, then power is cut


class SshMode(StrEnum):
    """How a server with the effect ``ssh`` is unreachable."""

    REFUSE = "refuse"  # connection refused
    BLACKHOLE = "blackhole"  # SYNs are dropped
    MUTE = "mute"  # accepts, never speaks
    NO_ROUTE = "no_route"  # an address nothing can be sent to
    NO_ADDRESS = "no_address"  # ACTIVE with no address at all


#: The operations (patterns) an effect belongs to; effects not named here fit every API call.
EFFECT_OPERATIONS: Final[Mapping[EffectKind, tuple[str, ...]]] = {
    EffectKind.QUOTA: ("server.create", "floatingip.create", "port.create", "image.create"),
    EffectKind.CUT: ("image.download", "object.get"),
    EffectKind.GARBLE: ("image.download", "image.upload", "object.get", "object.put"),
    EffectKind.OMIT: ("*.list",),
    EffectKind.DELETE_ERROR: ("server.delete",),
    EffectKind.DELETE_HANG: ("server.delete",),
    EffectKind.DIRTY_STOP: ("server.stop",),
    **dict.fromkeys(
        (
            EffectKind.BOOT_ERROR,
            EffectKind.BOOT_HANG,
            EffectKind.BOOT_SLOW,
            EffectKind.SSH,
            EffectKind.NO_KEY,
            EffectKind.WRONG_KEY,
            EffectKind.WRONG_HOST_KEY,
            EffectKind.DIES,
        ),
        ("server.boot",),
    ),
    **dict.fromkeys(
        (
            EffectKind.SNAPSHOT_ERROR,
            EffectKind.SNAPSHOT_HANG,
            EffectKind.SNAPSHOT_QUIESCE,
            EffectKind.SNAPSHOT_VANISH,
            EffectKind.SNAPSHOT_UNHASHED,
            EffectKind.SNAPSHOT_UNBOOTABLE,
        ),
        ("server.snapshot",),
    ),
}

BOOT: Final = "server.boot"


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect(Section):
    """One effect with its settings; which of them count depends on the kind.

    Attributes:
        seconds: How long (``slow``, ``boot_slow``, ``dies``, hangs; 0 for a hang: for ever).
        retry_after_s: Sent as ``Retry-After`` with ``http``, if not None.
        text: Body of an ``http`` answer, or the message of a fault; empty for the usual one.
        fraction: Which part of the matching things ``omit`` leaves out, 0 to 1.
    """

    kind: EffectKind
    seconds: Number = 0.0
    status: Annotated[int, whole(400, 599)] = 503
    retry_after_s: Annotated[Number | None, key("retry_after")] = None
    text: Text = ""
    mode: SshMode = SshMode.REFUSE
    resource: Literal["instances", "cores", "ram", "floatingip", "port"] = "instances"
    fraction: Annotated[float, number(0.0, 1.0)] = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is being done, and to what; empty texts are not known."""

    operation: str
    service: str = ""
    region: str = ""
    project: str = ""
    method: str = ""
    path: str = ""
    name: str = ""
    flavor: str = ""
    image: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)


def _effect(value: object) -> object:
    """Take the name of an effect for one without settings."""
    known = ", ".join(EffectKind)
    if not value:
        raise ValueError(f"is required; known are {known}")
    if isinstance(value, str) and value not in list(EffectKind):
        raise ValueError(f"{value!r} is not known; known are {known}")
    return {"kind": value} if isinstance(value, str) else given(value)


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as exc:
        raise ValueError(f"is not a regular expression: {exc}") from None
    return text


def _sorted(pairs: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(pairs))


@dataclass(frozen=True, slots=True, kw_only=True)
class Match(Section):
    """What a rule looks at; empty means anything.

    All are shell patterns (``fnmatch``), except *path*: a regular expression that is searched
    in the path with its query.
    """

    operation: Text = ""
    service: Text = ""
    region: Text = ""
    project: Text = ""
    method: Literal["", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] = ""
    path: Annotated[Text, AfterValidator(_pattern)] = ""
    name: Text = ""
    flavor: Text = ""
    image: Text = ""
    metadata: Annotated[Pairs, AfterValidator(_sorted)] = ()

    @property
    def about_things(self) -> bool:
        """Say whether the match needs to know the server or image, not only the call."""
        return bool(self.name or self.flavor or self.image or self.metadata)


def _fitting(match: Match, info: ValidationInfo) -> Match:
    """Return *match* with an operation that goes with the effect, which was read before it."""
    effect: Effect | None = info.data.get("effect")
    if effect is None:
        return match
    allowed = EFFECT_OPERATIONS.get(effect.kind, ())
    wanted = match.operation or (allowed[0] if allowed else "")
    if allowed and not any(fnmatchcase(wanted, one) or fnmatchcase(one, wanted) for one in allowed):
        raise WrongKeyError(
            "operation",
            f"{wanted!r} does not go with the effect {effect.kind}, which"
            f" belongs to {', '.join(allowed)}",
        )
    return replace(match, operation=wanted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule(Section):
    """One line of the plan.

    Skip the first *after* matches, then fire with probability *rate*, at most *count* times.
    """

    id: Text
    effect: Annotated[Effect, BeforeValidator(_effect)]
    match: Annotated[Match, SECTION, AfterValidator(_fitting)]
    rate: Annotated[float, number(0.0, 1.0)] = 1.0
    count: Annotated[int, whole()] | None = None
    after: Annotated[int, whole()] = 0
    enabled: Flag = True


def with_id(value: object, default_id: str) -> object:
    """Return a rule as written, or as it was shown, as one to read."""
    doc = given(value)
    if not isinstance(doc, dict):
        return doc
    told = {key: one for key, one in doc.items() if key not in ("seen", "fired")}
    return {"match": {}, "effect": "", **told, "id": told.get("id") or default_id}


def with_ids(value: object) -> object:
    """Give the rules of a configuration ids."""
    if not isinstance(value, list):
        return value
    return [with_id(one, f"config-{i}") for i, one in enumerate(value)]


def call_matches(match: Match, subject: Subject) -> bool:
    """Say whether the call (not the thing it is about) is the one that *match* means."""
    pairs = (
        (match.operation, subject.operation),
        (match.service, subject.service),
        (match.region, subject.region),
        (match.project, subject.project),
        (match.method.upper(), subject.method),
    )
    return all(not pattern or fnmatchcase(value, pattern) for pattern, value in pairs) and (
        not match.path or re.search(match.path, subject.path) is not None
    )


def thing_matches(match: Match, subject: Subject) -> bool:
    """Say whether the server or image is one that *match* means."""
    pairs = (
        (match.name, subject.name),
        (match.flavor, subject.flavor),
        (match.image, subject.image),
    )
    return all(not pattern or fnmatchcase(value, pattern) for pattern, value in pairs) and all(
        fnmatchcase(subject.metadata.get(key, ""), pattern) for key, pattern in match.metadata
    )


def is_due(rule: Rule, *, seen: int, fired: int, draw: float) -> bool:
    """Say whether a matching rule fires now.

    Args:
        rule: The rule.
        seen: How often the rule matched before.
        fired: How often it fired before.
        draw: A number from 0 (included) to 1 (excluded).
    """
    if seen < rule.after or (rule.count is not None and fired >= rule.count):
        return False
    return draw < rule.rate


@dataclass(slots=True)
class _Memory:
    seen: int = 0
    fired: int = 0
    draws: random.Random = field(default_factory=random.Random)


class FaultPlan:
    """The rules in force and what became of them.

    Each rule draws from its own generator, seeded by the plan's seed and the rule's id: one
    rule more changes nothing for the others.
    """

    def __init__(self, rules: Iterable[Rule] = (), *, seed: int = 0) -> None:
        self._seed = seed
        self._rules: dict[str, Rule] = {}
        self._memory: dict[str, _Memory] = {}
        for rule in rules:
            self.put(rule)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules, oldest first."""
        return tuple(self._rules.values())

    @property
    def about_things(self) -> bool:
        """Say whether any rule wants to know names, metadata, flavors or images."""
        return any(rule.match.about_things for rule in self._rules.values())

    def put(self, rule: Rule) -> None:
        """Add *rule*, or replace the one with its id; it starts counting anew."""
        self._rules[rule.id] = rule
        seed = f"{self._seed}:{rule.id}"
        self._memory[rule.id] = _Memory(draws=random.Random(seed))  # noqa: S311 - repeatable

    def remove(self, rule_id: str) -> bool:
        """Remove one rule; False if there is none with that id."""
        self._memory.pop(rule_id, None)
        return self._rules.pop(rule_id, None) is not None

    def clear(self) -> None:
        """Remove all rules."""
        self._rules.clear()
        self._memory.clear()

    def counts(self, rule_id: str) -> tuple[int, int]:
        """Return how often a rule matched and how often it fired."""
        memory = self._memory[rule_id]
        return memory.seen, memory.fired

    def take(self, subject: Subject) -> tuple[Effect, ...]:
        """Return what happens to *subject*, oldest rule first, and count it.

        ``omit`` is about the listed things and comes from :meth:`omissions`.
        """
        effects: list[Effect] = []
        for rule in self._rules.values():
            if rule.effect.kind is EffectKind.OMIT or not rule.enabled:
                continue
            if (
                call_matches(rule.match, subject)
                and thing_matches(rule.match, subject)
                and self._fires(rule)
            ):
                effects.append(rule.effect)
        return tuple(effects)

    def omissions(self, subject: Subject) -> tuple[Rule, ...]:
        """Return the ``omit`` rules that spoil this list call, and count them."""
        return tuple(
            rule
            for rule in self._rules.values()
            if rule.effect.kind is EffectKind.OMIT
            and rule.enabled
            and call_matches(rule.match, subject)
            and self._fires(rule)
        )

    def omits(self, rules: Iterable[Rule], thing: Subject) -> bool:
        """Say whether one of the firing *rules* hides *thing* from the list."""
        return any(
            thing_matches(rule.match, thing)
            and self._memory[rule.id].draws.random() < rule.effect.fraction
            for rule in rules
            if rule.id in self._memory
        )

    def _fires(self, rule: Rule) -> bool:
        memory = self._memory[rule.id]
        due = is_due(rule, seen=memory.seen, fired=memory.fired, draw=memory.draws.random())
        memory.seen += 1
        memory.fired += due
        return due
