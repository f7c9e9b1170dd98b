"""Machines that are kept for people, and what waits for a failure, as tables."""

from collections.abc import Mapping
from typing import Any, Final

from remuda.cli.output import Sheet, age, broken_notes, closed_notes
from remuda.cli.znode_names import shown_names
from remuda.insight import tree
from remuda.insight.holding import by_whom, circumstances
from remuda.insight.launches import BrokenLaunch, ClosedLaunch, launch_answer, launch_in
from remuda.insight.takehomes import image_note, read_take_homes
from remuda.model.autohold import AUTOHOLDS_MAX, Autohold
from remuda.model.hold import Hold
from remuda.model.holdwish import HOLD_KEY
from remuda.model.launch import Launch
from remuda.model.node import Node, NodeState
from remuda.store import paths
from remuda.store.api import Store, Stored

_COLUMNS: Final = (
    *("NODE", "STATE", "LABEL", "PROVIDER", "OWNER", "SINCE", "LEFT", "EXTENDED", "COST"),
    *("BY", "NOTE"),
)
_WAITING: Final = ("ID", "OWNER", "WAITS FOR", "LEFT", "FIRED", "UNTIL", "FOR", "REASON")
#: So many of those that launchers do not look at are named.
_NAMED_MAX: Final = 5


def holds_sheet(store: Store, *, owner: str | None, now_s: float) -> Sheet:
    """Return the holds of everybody, or of one *owner*; *now_s* is wall clock."""
    read = tree.reader(store)
    level = tree.nodes(read)
    wanted = [
        one
        for one in level.records.values()
        if one.provider and (one.state is NodeState.HOLD or HOLD_KEY in one.doc)
    ]
    found = store.read_each([paths.launch(one.provider or "", one.id) for one in wanted])
    images = {one.node: one for one in read_take_homes(store)}
    rows, data, broken, closed = [], [], dict(level.corrupt), [*read.closed]
    for node, stored in zip(wanted, found, strict=True):
        answer = launch_answer(node.id, stored)
        launch = launch_in(answer)
        if isinstance(answer, BrokenLaunch):
            broken[node.id] = answer.why
        elif isinstance(answer, ClosedLaunch):
            closed.append(paths.launch(node.provider or "", node.id))
        hold = None if launch is None else launch.hold
        if launch is None or hold is None or (owner is not None and hold.owner != owner):
            continue
        image = image_note(launch, images.get(node.id))
        rows.append(_row(node, launch, hold, image, now_s))
        data.append({**hold_json(node, launch, hold), "image": image})
    notes = [*broken_notes(shown_names(broken)), *closed_notes(closed)]
    if rows:
        notes = [*notes, "owners are unproven: ZooKeeper does not tell who wrote a name"]
    return Sheet(columns=_COLUMNS, rows=rows, data=data, notes=notes or ["no holds"])


def hold_json(node: Node, launch: Launch, hold: Hold) -> Mapping[str, Any]:
    """Return a hold with the stable keys of docs/cli.md."""
    return {
        "node": node.id,
        "state": str(node.state),
        "label": launch.label,
        "provider": node.provider,
        "pool": launch.pool,
        "owner": hold.owner,
        "proven": hold.proven,
        "reason": hold.reason,
        "job": hold.job,
        "source": str(hold.source),
        "autohold": hold.autohold,
        "for_s": hold.for_s,
        "since_at_s": hold.since_s,
        "ends_at_s": hold.ends_s,
        "latest_at_s": hold.latest_s,
        "bounded": hold.bounded,
        "refused": hold.refused,
        "lost": hold.lost,
        "warned_at_s": hold.warned_s,
        "seen_at_s": hold.seen_s,
        "logins": list(hold.logins),
        "extended": [
            {"by": one.by, "at_s": one.at_s, "ends_at_s": one.ends_s, "refused": one.refused}
            for one in hold.extended
        ],
        "keys": [
            {"fingerprint": one.fingerprint, "name": one.name, "refused": one.refused}
            for one in hold.keys
        ],
        "host_key": None if hold.host_key is None else str(hold.host_key.step),
        "host_key_why": None if hold.host_key is None else hold.host_key.why,
        "cores": launch.cores,
        "ram_mib": launch.ram_mib,
        "volume_gib": launch.volume_gib,
    }


def _row(
    node: Node, launch: Launch, hold: Hold, image: str | None, now_s: float
) -> tuple[str, ...]:
    more = [one.by for one in hold.extended if one.refused is None]
    volume = f", {launch.volume_gib} GiB volume" if launch.volume_gib else ""
    return (
        node.id,
        str(node.state),
        launch.label,
        node.provider or "-",
        hold.owner or "-",
        "-" if hold.since_s is None else age(now_s - hold.since_s),
        age(hold.for_s) if hold.ends_s is None else age(max(0.0, hold.ends_s - now_s)),
        f"{len(more)} ({'; '.join(more)})" if more else "-",
        f"{launch.cores} core{'s' * (launch.cores != 1)}, {launch.ram_mib / 1024:g} GiB{volume}",
        by_whom(hold),
        _note(hold, image),
    )


def _note(hold: Hold, image: str | None) -> str:
    if hold.refused is not None:
        return f"refused: {hold.refused}"
    told = [hold.reason, image, *circumstances(hold)]
    return "; ".join(one for one in told if one)


def autoholds_sheet(store: Store, *, now_s: float) -> Sheet:
    """Return all autoholds; *now_s* is wall clock."""
    read = tree.reader(store)
    found = read(paths.AUTOHOLDS)
    level = tree.autoholds(found)
    ordered = sorted(level.records.values(), key=lambda one: (one.made_s, one.id))
    notes = [*_unreadable(level.corrupt), *_too_many(found, level.records)]
    if not ordered and not notes:
        notes = ["no autoholds"]
    return Sheet(
        columns=_WAITING,
        rows=[_waiting(one, now_s) for one in ordered],
        data=[autohold_json(one, now_s) for one in ordered],
        notes=notes,
    )


def _unreadable(corrupt: Mapping[str, str]) -> list[str]:
    """Return notes on those that nobody can read, and how they go: none says when it is over."""
    how = "such an autohold holds nothing, and stays until `remuda autohold remove ID --force`"
    return [*broken_notes(shown_names(corrupt)), how] if corrupt else []


def _too_many(found: Mapping[str, Stored[bytes]], known: Mapping[str, Autohold]) -> list[str]:
    """Return a note on those that launchers do not look at, if there are any."""
    oldest = sorted(known, key=lambda name: (found[name].created_s, name))
    beyond = oldest[AUTOHOLDS_MAX:]
    if not beyond:
        return []
    named = ", ".join(beyond[:_NAMED_MAX]) + (" …" if len(beyond) > _NAMED_MAX else "")
    said = f"launchers look at the {AUTOHOLDS_MAX} oldest, and not yet at {named} ({len(beyond)})"
    return [f"{said}: each takes the place of one that is removed or over"]


def autohold_json(one: Autohold, now_s: float) -> Mapping[str, Any]:
    """Return an autohold with the stable keys of docs/cli.md."""
    return {
        "id": one.id,
        "owner": one.owner,
        "reason": one.reason,
        "label": one.label,
        "requestor": one.requestor,
        "job": one.job,
        "count": one.count,
        "waits": one.waits(now_s),
        "for_s": one.for_s,
        "made_at_s": one.made_s,
        "until_at_s": one.until_s,
        "fired": [
            {"node": fired.node, "provider": fired.provider, "at_s": fired.at_s}
            for fired in one.fired
        ],
    }


def _waiting(one: Autohold, now_s: float) -> tuple[str, ...]:
    return (
        one.id,
        one.owner or "-",
        one.said,
        str(one.left),
        ", ".join(fired.node for fired in one.fired) or "-",
        "over" if now_s >= one.until_s else age(one.until_s - now_s),
        age(one.for_s),
        one.reason,
    )
