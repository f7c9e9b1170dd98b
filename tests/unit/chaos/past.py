"""A short history in which everything went well, made by code, to be spoiled by tests."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from tests.chaos.judge.cloud import ServerEvent
from tests.chaos.judge.txnlog import Close, Create, Delete, Op, Open, Set, Txn
from tests.chaos.judge.verdict import Verdict, judge
from tests.chaos.judge.world import Terms

LAUNCHER, USER, OTHER = 1, 2, 3
ALPHA: Final = "/remuda/providers/alpha"
TERMS: Final = Terms(
    limits={"alpha": 3},
    good_boots=True,
    explained_after_s=5.0,
    served_within_s=60.0,
    forged=("forged",),
)
_STEP_S: Final = 0.1
_START_S: Final = 1_700_000_000.0


@dataclass(frozen=True, slots=True)
class Moment:
    """One transaction or event; its time comes from its place."""

    name: str
    what: tuple[Op, ...] | ServerEvent
    session: int = LAUNCHER
    later_s: float = 0.0


def _bytes(**doc: Any) -> bytes:
    return json.dumps(doc).encode()


def node(name: str, state: str, request: str | None = None, **more: Any) -> bytes:
    """Return a node's record."""
    return _bytes(state=state, provider="alpha", allocated_to=request, name=name, **more)


def launch(name: str, step: str) -> bytes:
    """Return a launch record."""
    return _bytes(step=step, server=f"server-{name}")


def request(state: str, *nodes: str) -> bytes:
    """Return a request's record."""
    return _bytes(state=state, nodes=list(nodes))


def server(name: str, what: str, server_id: str = "", **tags: str) -> ServerEvent:
    """Return what the cloud notes of a node's server."""
    usual = {"node_id": name, "provider": "alpha", "installation": "inst"}
    metadata = {f"remuda_{key}": value for key, value in {**usual, **tags}.items() if value}
    return ServerEvent(0.0, what, server_id or f"server-{name}", metadata)


def node_path(name: str) -> str:
    """Return where a node's record lies."""
    return f"/nodepool/nodes/{name}"


def launch_path(name: str) -> str:
    """Return where a launch record lies."""
    return f"{ALPHA}/launches/{name}"


def request_path(name: str) -> str:
    """Return where a request lies."""
    return f"/nodepool/requests/{name}"


@dataclass(slots=True)
class Past:
    """Moments in order; each is named, so that a spoiler can find its place."""

    moments: list[Moment] = field(default_factory=list)

    def write(self, name: str, *ops: Op, session: int = LAUNCHER, later_s: float = 0.0) -> None:
        """Add a transaction."""
        self.moments.append(Moment(name, ops, session, later_s))

    def told(self, name: str, what: str) -> None:
        """Add what the cloud notes of a node's server."""
        self.moments.append(Moment(f"{name} {what}", server(name, what)))

    def _at(self, name: str) -> int:
        (found,) = [place for place, one in enumerate(self.moments) if one.name == name]
        return found

    def after(self, name: str, *what: tuple[Op, ...] | ServerEvent, session: int = USER) -> None:
        """Insert moments after the one called *name*."""
        place = self._at(name) + 1
        self.moments[place:place] = [Moment("spoiled", one, session) for one in what]

    def drop(self, *names: str) -> None:
        """Remove moments."""
        for name in names:
            del self.moments[self._at(name)]

    def change(self, name: str, edit: Callable[[Op], Op | None]) -> None:
        """Rewrite the operations of a transaction; None removes one."""
        place = self._at(name)
        old = self.moments[place]
        assert isinstance(old.what, tuple)
        edited = tuple(new for op in old.what if (new := edit(op)) is not None)
        self.moments[place] = replace(old, what=edited)

    def delay(self, name: str, later_s: float) -> None:
        """Let a moment, and all after it, come later."""
        place = self._at(name)
        self.moments[place] = replace(self.moments[place], later_s=later_s)

    def history(self) -> tuple[list[Txn], list[ServerEvent]]:
        """Return what the judge reads."""
        txns: list[Txn] = []
        events: list[ServerEvent] = []
        at_s = _START_S
        for one in self.moments:
            at_s += _STEP_S + one.later_s
            if isinstance(one.what, ServerEvent):
                events.append(replace(one.what, at_s=at_s))
            else:
                txns.append(Txn(len(txns) + 1, at_s, one.session, one.what))
        return txns, events

    def judged(self, terms: Terms = TERMS) -> Verdict:
        """Judge it."""
        txns, events = self.history()
        return judge(txns, events, terms)

    def launched(self, name: str) -> None:
        """Make a node, from intent to ready."""
        self.write(
            f"{name} intended",
            Create(node_path(name), node(name, "building")),
            Create(launch_path(name), launch(name, "planned")),
            Set(f"{ALPHA}/ledger", b""),
        )
        self.told(name, "made")
        self.write(f"{name} booting", Set(launch_path(name), launch(name, "booting")))
        self.told(name, "active")
        self.write(
            f"{name} ready",
            Set(node_path(name), node(name, "ready")),
            Set(launch_path(name), launch(name, "done")),
        )

    def used(self, name: str, wish: str, session: int) -> None:
        """Serve a request with a node, and let its user take it."""
        self.write(f"{wish} asked", Create(request_path(wish), request("requested"), session))
        self.write(
            f"{wish} served",
            Set(node_path(name), node(name, "ready", wish)),
            Set(request_path(wish), request("fulfilled", name)),
        )
        self.write(
            f"{wish} taken",
            Create(f"{node_path(name)}/lock", b""),
            Create(f"{node_path(name)}/lock/me", b"", session),
            Set(node_path(name), node(name, "in-use", wish)),
            Delete(request_path(wish)),
            session=session,
        )

    def buried(self, name: str, wish: str, state: str) -> None:
        """Condemn a node, delete its server, and bury it."""
        ops: list[Op] = [Set(launch_path(name), launch(name, "condemned"))]
        if state != "used":
            ops.append(Set(node_path(name), node(name, "deleting", wish)))
        self.write(f"{name} condemned", *ops)
        self.told(name, "deleting")
        self.told(name, "deleted")
        self.write(
            f"{name} buried",
            *(Delete(launch_path(name)), Delete(f"{node_path(name)}/lock")),
            Delete(node_path(name)),
        )


def _ground(past: Past) -> None:
    folders = ["/nodepool", "/nodepool/nodes", "/nodepool/requests", "/remuda", "/remuda/verdicts"]
    folders += ["/remuda/providers", "/remuda/verdicts/alpha", ALPHA, f"{ALPHA}/launches"]
    for session in (LAUNCHER, USER, OTHER):
        past.write(f"session {session}", Open(10.0), session=session)
    past.write("ground", *(Create(path, b"") for path in folders))
    past.write("named", Create("/remuda/installation", b"inst"))
    past.write("ledger", Create(f"{ALPHA}/ledger", b""))


def good() -> Past:
    """Return a history in which every rule had something to look at, and held."""
    past = Past()
    _ground(past)
    past.launched("one")
    past.used("one", "first", USER)
    past.write(
        "one returned",
        Delete(f"{node_path('one')}/lock/me"),
        Set(node_path("one"), node("one", "used", "first")),
        session=USER,
    )
    past.buried("one", "first", "used")
    past.launched("two")
    past.used("two", "second", OTHER)
    past.write("user died", Close(), session=OTHER)
    past.buried("two", "second", "in-use")
    past.launched("three")
    past.used("three", "third", USER)
    past.write(
        "three held",
        Delete(f"{node_path('three')}/lock/me"),
        Set(node_path("three"), node("three", "hold", "third", comment="to look at")),
        session=USER,
    )
    past.write("fourth asked", Create(request_path("fourth"), request("requested")))
    past.write("fourth explained", Create("/remuda/verdicts/alpha/fourth", b"{}"))
    past.launched("four")
    past.delay("four ready", 6.0)
    past.write("fourth cancelled", Delete(request_path("fourth")))
    return past
