"""Nodes as a table."""

from collections.abc import Collection
from dataclasses import dataclass, replace

from remuda.cli.output import Sheet, age, broken_notes
from remuda.cli.views.launch_progress import launch_progress_text
from remuda.cli.znode_names import shown_name, shown_names
from remuda.insight import holding, tree
from remuda.insight.facts import NodeFacts, facts_of
from remuda.insight.launch_progress import LaunchProgress, read_launch_progress
from remuda.insight.tree import TreeReader
from remuda.model.hold import Hold
from remuda.model.job import whose
from remuda.model.node import Node, NodeState, hold_ends_s

_COLUMNS = (
    *("ID", "STATE", "LABEL", "PROVIDER", "POOL", "ADDRESS", "FOR", "SINCE"),
    *("BUILD", "NOTE"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFilter:
    """Which nodes to show; an empty collection means all."""

    ids: Collection[str] = ()
    states: Collection[str] = ()
    labels: Collection[str] = ()
    providers: Collection[str] = ()

    def wants(self, node: Node) -> bool:
        """Say whether *node* is to be shown."""
        return (
            (not self.ids or node.id in self.ids)
            and (not self.states or str(node.state) in self.states)
            and (not self.labels or not set(node.labels).isdisjoint(self.labels))
            and (not self.providers or node.provider in self.providers)
        )


def nodes_sheet(read: TreeReader, chosen: NodeFilter, *, now_s: float) -> Sheet:
    """Return the nodes that *chosen* wants.

    Args:
        read: Where to read.
        chosen: Which to show.
        now_s: Wall clock, seconds since the epoch.
    """
    level = tree.nodes(read)
    nodes = [node for node in level.records.values() if chosen.wants(node)]
    notes = broken_notes(shown_names(level.corrupt))
    if not nodes and not notes:
        notes = ["no nodes"]
    keeping = {one.provider for one in nodes if one.state is NodeState.HOLD and one.provider}
    limits = _hold_limits(read) if keeping else {}
    kept = holding.read_launches(read, keeping)
    images = holding.read_images(read) if keeping else {}
    rows, data = [], []
    coming = [one for one in nodes if one.state is NodeState.BUILDING]
    progress = read_launch_progress(read, {one.provider for one in coming if one.provider})
    for node in nodes:
        facts, made, ends_s = facts_of(node), progress.get(node.id), None
        launch = kept.get(node.id)
        hold = None if launch is None else launch.hold
        if node.state is NodeState.HOLD:
            ends_s = hold_ends_s(node, limits.get(node.provider or ""))
            if hold is not None and hold.ends_s is not None:
                ends_s = hold.ends_s  # what its launcher goes by
        if made is not None:
            note = _step(made, facts, now_s)
        elif node.state is NodeState.HOLD:
            about = holding.image_words(launch, images.get(node.id))
            note = _held(facts, hold, ends_s, about, now_s)
        else:
            note = whose(facts.requestor, facts.job) if node.allocated_to else ""
        rows.append(_row(node, facts, now_s, note))
        told = None if made is None else made.as_json()
        data.append({**facts.as_json(), "hold_ends_at_s": ends_s, "making": told})
    return Sheet(columns=_COLUMNS, rows=rows, data=data, notes=notes)


def _hold_limits(read: TreeReader) -> dict[str, float | None]:
    """Return how long each provider lets nodes be held, as far as it says."""
    return {name: one.max_hold_age_s for name, one in tree.statuses(read).records.items()}


def _row(node: Node, facts: NodeFacts, now_s: float, note: str) -> tuple[str, ...]:
    return (
        shown_name(node.id),
        facts.state,
        facts.label,
        facts.provider or "-",
        facts.pool or "-",
        _address(facts),
        facts.allocated_to or "-",
        age(now_s - node.state_time_s) if node.state_time_s else "-",
        facts.build or "-",
        note,
    )


def _address(facts: NodeFacts) -> str:
    if facts.address is None:
        return "-"
    return facts.address if facts.port == 22 else f"{facts.address}:{facts.port}"  # noqa: PLR2004 - ssh


def _step(made: LaunchProgress, facts: NodeFacts, now_s: float) -> str:
    return launch_progress_text(replace(made, port=facts.port), now_s)


def _held(
    facts: NodeFacts, hold: Hold | None, ends_s: float | None, about: list[str], now_s: float
) -> str:
    """Return for whom a machine is held, why and how long, and what there is beside."""
    left = "" if ends_s is None else f" ({age(ends_s - now_s)} left)"
    if hold is None:
        who, why, more = facts.hold_job, facts.comment, []
    else:
        job = [] if hold.job is None else [f"job {hold.job}"]
        who, why, more = hold.owner, hold.reason, [*job, *holding.circumstances(hold)]
    words = ": ".join(word for word in (who, why) if word)
    return "; ".join(one for one in (f"{words}{left}".strip(), *more, *about) if one)
