"""The rules of nodes and servers. Each yields a sentence for every breach."""

from collections import Counter
from collections.abc import Iterator, Sequence

from tests.chaos.judge.cloud import ServerEvent
from tests.chaos.judge.tree import Change, Doc, record
from tests.chaos.judge.world import (
    INSTALLATION,
    NODES,
    REQUESTS,
    World,
    launch_of,
    node_of,
    request_of,
)


class Rule:
    """Looks at every change after it happened (servers: before a deletion is applied)."""

    name = ""

    def wrote(self, _world: World, _changes: Sequence[Change], /) -> Iterator[str]:
        """Judge a transaction."""
        yield from ()

    def told(self, _world: World, _event: ServerEvent, /) -> Iterator[str]:
        """Judge what a cloud noted."""
        yield from ()

    def ended(self, _world: World, /) -> Iterator[str]:
        """Judge how it all ended."""
        yield from ()


class OneRequest(Rule):
    """I1: a node goes to at most one request."""

    name = "one request"

    def __init__(self) -> None:
        self._taken: Counter[str] = Counter()

    def wrote(self, world: World, changes: Sequence[Change]) -> Iterator[str]:
        """A promise changes hands only by being taken back; nobody takes a node twice."""
        for change in changes:
            if node := node_of(change.path):
                old, new = record(change.before) or {}, record(change.after) or {}
                first, second = old.get("allocated_to"), new.get("allocated_to")
                if first and second and first != second:
                    yield f"node {node} went from request {first} to {second}"
                if new.get("state") == "in-use" != old.get("state"):
                    self._taken[node] += 1
                    if self._taken[node] > 1:
                        yield f"node {node} was taken {self._taken[node]} times"
            elif request_of(change.path) and change.after is not None:
                yield from self._promised(world, change)

    def _promised(self, world: World, change: Change) -> Iterator[str]:
        doc, request = record(change.after) or {}, request_of(change.path)
        if doc.get("state") != "fulfilled":
            return
        for node in doc.get("nodes") or ():
            holder = world.node(node).get("allocated_to")
            if holder != request:
                yield f"request {request} was promised node {node}, which belongs to {holder}"


def _hold_is_over(doc: Doc, now_s: float) -> bool:
    """Whether a hold's time is over; the second a record was written in may be rounded."""
    lasts_s = doc.get("hold_expiration")
    return bool(lasts_s) and now_s >= doc.get("state_time", 0.0) + float(lasts_s or 0)


def _was_locked(world: World, node: str, changes: Sequence[Change]) -> bool:
    """Whether a node was locked before a transaction, which may have removed the lock, too."""
    lock = f"{NODES}/{node}/lock/"
    gone = (one.path.startswith(lock) and one.before is not None for one in changes)
    return world.locked(node) or any(gone)


class NobodysMachineDies(Rule):
    """I5: whoever works on a machine, or keeps it, keeps it."""

    name = "nobody's machine dies"

    def wrote(self, world: World, changes: Sequence[Change]) -> Iterator[str]:
        """A node that somebody has is not condemned."""
        for change in changes:
            old, new = record(change.before) or {}, record(change.after) or {}
            if node := node_of(change.path):
                held = old.get("state") == "hold" and not _hold_is_over(old, world.now_s)
                used = old.get("state") == "in-use" and _was_locked(world, node, changes)
                if (held or used) and new.get("state") in ("deleting", "deleted", None):
                    yield f"node {node} was condemned while it was {old['state']}"
            elif (place := launch_of(change.path)) and place[1] not in world.terms.forged:
                why = world.kept(place[1])
                if new.get("step") == "condemned" != old.get("step") and why:
                    yield f"the launch of {place[1]} was condemned while it was {why}"

    def told(self, world: World, event: ServerEvent) -> Iterator[str]:
        """Its server is not deleted."""
        why = world.kept(event.node) if event.what in ("deleting", "deleted") else ""
        if why and not (event.what == "deleted" and world.servers.living[event.server].doomed):
            yield f"server {event.server} of node {event.node} was deleted while it was {why}"


class RightReason(Rule):
    """I3, I9: only what is ours is deleted, and only when its record is condemned or gone."""

    name = "right reason"

    def __init__(self) -> None:
        self._installations: set[str] = set()

    def wrote(self, world: World, changes: Sequence[Change]) -> Iterator[str]:
        """Remember all that this installation was called."""
        if any(change.path == INSTALLATION for change in changes):
            self._installations.add(world.tree.text(INSTALLATION))
        yield from ()

    def told(self, world: World, event: ServerEvent) -> Iterator[str]:
        """Judge an accepted deletion."""
        if event.what != "deleting":
            return
        if not event.node:
            yield f"server {event.server} was deleted, but carries no tag of ours"
        elif event.installation not in self._installations:
            yield f"server {event.server} was deleted, but is {event.installation}'s"
        elif (step := world.launch(event.provider, event.node).get("step", "gone")) not in (
            "condemned",
            "gone",
        ):
            yield f"server {event.server} was deleted while the launch of {event.node} was {step}"


class Limits(Rule):
    """I2: never more servers than a provider may have."""

    name = "limits"

    def told(self, world: World, event: ServerEvent) -> Iterator[str]:
        """Count the living whenever one is made."""
        if event.what != "made" or event.provider not in world.terms.limits:
            return
        n, most = world.servers.of_provider(event.provider), world.terms.limits[event.provider]
        if n > most:
            yield f"{event.provider} has {n} servers, and may have {most}"


class IntentFirst(Rule):
    """I3: a server is recorded before it is made, and both records live and end together."""

    name = "intent first"

    def wrote(self, world: World, changes: Sequence[Change]) -> Iterator[str]:
        """No transaction leaves one of the two records without the other."""
        for change in changes:
            if (place := launch_of(change.path)) and place[1] not in world.terms.forged:
                if world.tree.there(change.path) != bool(world.node(place[1])):
                    yield f"launch and node record of {place[1]} came or went apart"
            elif node := node_of(change.path):
                doc = record(change.after) or record(change.before) or {}
                provider = str(doc.get("provider"))
                both = bool(world.node(node)) == bool(world.launch(provider, node))
                if provider in world.terms.limits and not both:
                    yield f"node and launch record of {node} came or went apart"

    def told(self, world: World, event: ServerEvent) -> Iterator[str]:
        """A server's launch is recorded when it is made."""
        ours = event.what == "made" and event.provider in world.terms.limits
        if ours and not world.launch(event.provider, event.node):
            yield f"server {event.server} was made for {event.node}, which has no launch record"


class BuriedWhenGone(Rule):
    """I3: records stay until the cloud took the deletion, or no longer has the server."""

    name = "buried when gone"

    def wrote(self, world: World, changes: Sequence[Change]) -> Iterator[str]:
        """No record goes while its server lives on undisturbed."""
        for change in changes:
            place = launch_of(change.path)
            if place is None or change.after is not None or place[1] in world.terms.forged:
                continue
            for server in world.servers.of_node(place[1]):
                if not server.doomed:
                    yield f"{place[1]} was buried while server {server.made.server} lives"


class NothingIsLeft(Rule):
    """I3: in the end every server has its records, and every ready node its server."""

    name = "nothing is left"

    def ended(self, world: World) -> Iterator[str]:
        """Compare what is left."""
        for server in world.servers.living.values():
            ours = server.provider in world.terms.limits
            if ours and not world.launch(server.provider, server.node):
                yield f"server {server.made.server} of node {server.node} is left without record"
        for node in world.tree.children(NODES):
            doc = world.node(node)
            ours = doc.get("provider") in world.terms.limits
            if ours and doc.get("state") == "ready" and not world.servers.of_node(node):
                yield f"node {node} is ready, but has no server"


class ProvenNotWasted(Rule):
    """A machine that the cloud runs is not given up because of somebody else's outage."""

    name = "good machines are not wasted"

    def wrote(self, world: World, changes: Sequence[Change]) -> Iterator[str]:
        """No launch is condemned on its way while its server is active."""
        for change in changes if world.terms.good_boots else ():
            place = launch_of(change.path)
            old, new = record(change.before) or {}, record(change.after) or {}
            on_its_way = old.get("step") in ("planned", "booting", "proving")
            if not place or not on_its_way or new.get("step") != "condemned":
                continue
            if any(one.state == "active" for one in world.servers.of_node(place[1])):
                yield f"{place[1]} was given up while its server was active: {new.get('why')}"


class RequestsEnd(Rule):
    """I4, liveness: every request is served or explained, and ends."""

    name = "requests end"

    def __init__(self) -> None:
        self._since_s: dict[str, float] = {}
        self._explained: set[str] = set()
        self._served: set[str] = set()

    def wrote(self, world: World, changes: Sequence[Change]) -> Iterator[str]:
        """Follow each request's state."""
        for change in changes:
            parent, _, name = change.path.rpartition("/")
            if parent.startswith("/remuda/verdicts/") and change.after is not None:
                self._explained.add(name)
        for change in changes:
            if request := request_of(change.path):
                self._since_s.setdefault(request, world.now_s)
                yield from self._moved(world, request, change)

    def _moved(self, world: World, request: str, change: Change) -> Iterator[str]:
        doc = record(change.after)
        state = "deleted" if doc is None else doc.get("state")
        was_served = request in self._served
        if state in ("requested", "pending") or was_served:
            return
        self._served.add(request)
        if state == "failed" and not world.terms.may_fail:
            yield f"request {request} failed"
        yield from self._late(world, request)

    def _late(self, world: World, request: str) -> Iterator[str]:
        waited_s, terms = world.now_s - self._since_s[request], world.terms
        if waited_s > terms.explained_after_s and request not in self._explained:
            yield f"request {request} waited {waited_s:.1f} s without an explanation"
        if 0 < terms.served_within_s < waited_s:
            yield f"request {request} waited {waited_s:.1f} s"

    def ended(self, world: World) -> Iterator[str]:
        """Nothing waits any more."""
        for request in world.tree.children(REQUESTS):
            state = world.tree.doc(f"{REQUESTS}/{request}").get("state")
            yield f"request {request} is {state} in the end"
            if request not in self._served:
                yield from self._late(world, request)


def all_rules() -> list[Rule]:
    """Return every rule, fresh."""
    return [
        *(OneRequest(), NobodysMachineDies(), RightReason(), Limits(), IntentFirst()),
        *(BuriedWhenGone(), NothingIsLeft(), ProvenNotWasted(), RequestsEnd()),
    ]
