"""Judge a run: transactions and the clouds' journals in one order, rule by rule."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.judge.cloud import ServerEvent, read_journal
from tests.chaos.judge.rules import all_rules
from tests.chaos.judge.txnlog import LogError, Txn, committed, read_server
from tests.chaos.judge.world import Terms, World


@dataclass(frozen=True, slots=True)
class Breach:
    """One invariant that did not hold, once."""

    at_s: float
    rule: str
    what: str

    def __str__(self) -> str:
        """One line."""
        return f"{self.at_s:.3f} {self.rule}: {self.what}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was judged, and what was found."""

    seen: dict[str, int]
    breaches: tuple[Breach, ...]

    def __str__(self) -> str:
        """What was seen in the first line, a breach in each other."""
        seen = ", ".join(f"{n} {what}" for what, n in sorted(self.seen.items()))
        last = [] if self.breaches else ["every invariant held"]
        return "\n".join([f"judged {seen}", *map(str, self.breaches), *last])


def in_order(txns: Iterable[Txn], events: Iterable[ServerEvent]) -> Iterator[Txn | ServerEvent]:
    """Merge by time. Transactions keep their order; in one millisecond they come first.

    A transaction's time is that of its proposal, never later than what it caused.
    """
    moments: list[tuple[float, int, int, Txn | ServerEvent]] = []
    latest_s = 0.0
    for place, txn in enumerate(txns):
        latest_s = max(latest_s, txn.at_s)
        moments.append((latest_s, 0, place, txn))
    moments += [(event.at_s, 1, place, event) for place, event in enumerate(events)]
    return (one for *_, one in sorted(moments, key=lambda moment: moment[:3]))


def judge(txns: Sequence[Txn], events: Sequence[ServerEvent], terms: Terms) -> Verdict:
    """Hold a history against every rule.

    Raises:
        LogError: If the history is not whole.
    """
    world, rules, seen = World(terms), all_rules(), Counter[str]()
    breaches: list[Breach] = []
    for one in in_order(txns, events):
        if 0 < terms.until_s < one.at_s:
            continue
        world.now_s = one.at_s
        if isinstance(one, Txn):
            changes = world.tree.apply(one)
            seen["transactions"] += 1
            found = [(rule.name, what) for rule in rules for what in rule.wrote(world, changes)]
        else:
            seen[f"servers {one.what}"] += 1
            if one.what == "made":
                world.servers.apply(one)
            elif one.server not in world.servers.living:
                raise LogError(f"server {one.server} was never made: a journal is not whole")
            found = [(rule.name, what) for rule in rules for what in rule.told(world, one)]
            if one.what != "made":
                world.servers.apply(one)
        breaches += [Breach(one.at_s, name, what) for name, what in found]
    for rule in rules:
        breaches += [Breach(world.now_s, rule.name, what) for what in rule.ended(world)]
    return Verdict(dict(seen), tuple(breaches))


def judge_folder(folder: Path, logs: Sequence[Path]) -> Verdict:
    """Judge what a run left: ``terms.json`` and ``*.journal``, and the servers' logs.

    Raises:
        LogError: If a log is damaged, or the history is not whole.
    """
    terms = Terms.of(json.loads((folder / "terms.json").read_text()))
    events = [
        event
        for journal in sorted(folder.glob("*.journal"))
        for event in read_journal(journal.read_text().splitlines())
    ]
    return judge(committed(map(read_server, logs)), events, terms)
