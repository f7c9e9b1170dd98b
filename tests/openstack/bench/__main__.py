"""``python -m tests.openstack.bench``: what a launcher costs a real OpenStack; judged."""

import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Final

import click

from tests.bench.figures import Figure, table, write_json
from tests.openstack.bench.bare import AT_ONCE
from tests.openstack.bench.economy import SHARED, Course, Economy, Side
from tests.openstack.lab.control import VARIABLE, running_lab
from tests.support.processes import ROOT

RATIO_MIN: Final = 0.95
CALLS_PER_NODE_MAX: Final = 4.0
TOKENS_MAX: Final = 1
_TOKEN: Final = "keystone POST /v3/auth/tokens"


def judge(found: Economy) -> list[Figure]:
    """Return the figures with their bounds."""
    return [_boots(found), *_calls(found), _seconds(found), _idle(found), *_connections(found)]


def _boots(found: Economy) -> Figure:
    return Figure(
        name="boots per minute",
        bound=f">= {RATIO_MIN:g} x bare SDK",
        measured=f"{found.launcher.per_minute:.1f}",
        raw=f"{found.bare.per_minute:.1f}",
        ratio=found.ratio,
        ok=found.ratio >= RATIO_MIN,
        details={"rounds": found.rounds, "ratios": found.ratios, "bare at once": AT_ONCE},
    )


def _calls(found: Economy) -> list[Figure]:
    """Return the figures of calls per node, with addresses of the network and with floating IPs."""
    ours, bare = found.launcher, found.bare
    beyond, floating = _own(ours), _own(found.floating)
    return [
        Figure(
            name="calls per node life beyond shared lists",
            bound=f"<= {CALLS_PER_NODE_MAX:g}",
            measured=f"{beyond:.2f}",
            raw=f"{_own(bare):.2f}",
            ratio=beyond / _own(bare),
            ok=beyond <= CALLS_PER_NODE_MAX,
            details=dict(ours.calls),
        ),
        Figure(
            name="the same with floating IPs",
            bound=f"<= {CALLS_PER_NODE_MAX:g}",
            measured=f"{floating:.2f}",
            ok=floating <= CALLS_PER_NODE_MAX,
            details=dict(found.floating.calls),
        ),
        Figure(
            name="shared lists per node life",
            bound="",
            measured=f"{_shared(ours):.2f}",
            details={name: ours.calls[name] for name in SHARED},
        ),
        Figure(
            name="the same with floating IPs",
            bound="",
            measured=f"{_shared(found.floating):.2f}",
            details={name: found.floating.calls[name] for name in SHARED},
        ),
    ]


def _seconds(found: Economy) -> Figure:
    ours, bare = found.launcher, found.bare
    return Figure(
        name="seconds of the services per node life",
        bound="< bare SDK",
        measured=f"{ours.busy_s / ours.nodes:.2f} s",
        raw=f"{bare.busy_s / bare.nodes:.2f} s",
        ratio=(ours.busy_s / ours.nodes) / (bare.busy_s / bare.nodes),
        ok=ours.busy_s / ours.nodes < bare.busy_s / bare.nodes,
    )


def _idle(found: Economy) -> Figure:
    idle = sum(found.idle.values()) * 60 / found.idle_s
    return Figure(
        name="calls per idle minute",
        bound="",
        measured=f"{idle:.1f}",
        details=dict(found.idle),
    )


def _connections(found: Economy) -> list[Figure]:
    ours = found.launcher
    return [
        Figure(
            name="tokens of one launcher",
            bound=f"<= {TOKENS_MAX}",
            measured=str(ours.calls[_TOKEN]),
            ok=ours.calls[_TOKEN] <= TOKENS_MAX,
        ),
        Figure(
            name="TCP connections of one launcher",
            bound="",
            measured=str(ours.connections),
            details={"calls": ours.calls.total()},
        ),
    ]


def _own(side: Side) -> float:
    """Return the calls per node besides logins (once per process) and lists that all share."""
    own = (n for name, n in side.calls.items() if name not in SHARED and not _is_login(name))
    return sum(own) / side.nodes


def _is_login(name: str) -> bool:
    return name.startswith("keystone ")


def _shared(side: Side) -> float:
    return sum(side.calls[name] for name in SHARED) / side.nodes


def by_method(found: Economy) -> str:
    """Return calls per node life by method, of all sides, and per idle minute."""
    sides = (found.launcher, found.floating, found.bare)
    names: Counter[str] = Counter(found.idle)
    for side in sides:
        names |= side.calls
    rows = [
        "| call | launcher, per node | with floating IP | bare SDK | launcher, per idle minute |",
        "|---|---|---|---|---|",
    ]
    for name, _ in names.most_common():
        cells = [side.calls[name] / side.nodes for side in sides]
        cells.append(found.idle[name] * 60 / found.idle_s)
        rows.append(f"| {name} | {' | '.join(f'{each:.2f}' for each in cells)} |")
    return "\n".join(rows)


@click.command()
@click.option("--count", default=18, show_default=True, help="Nodes of each round.")
@click.option("--rounds", default=4, show_default=True, help="Rounds of each side, in turns.")
@click.option("--idle", "idle_s", default=65.0, show_default=True, help="Idle seconds.")
def main(count: int, rounds: int, idle_s: float) -> None:
    """Measure; exit with 1 if a bound is broken."""
    os.environ[VARIABLE] = "1"
    lab = running_lab()
    lab.heal()
    begun_s = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="remuda-openstack-bench-") as folder:
        found = Course(Path(folder), lab).run(count=count, rounds=rounds, idle_s=idle_s)
    for account in ("lab", "lab-fip"):
        lab.clear(account)
    figures = judge(found)
    seconds = time.perf_counter() - begun_s
    build = ROOT / "build"
    write_json(figures, build / "bench-openstack.json", seconds=seconds)
    text = f"{table(figures)}\n\n{by_method(found)}\n"
    (build / "bench-openstack.md").write_text(f"```\n{table(figures)}\n```\n\n{by_method(found)}\n")
    click.echo(text)
    click.echo(f"{seconds:.0f} s; load {os.getloadavg()[0]:.1f}", err=True)
    sys.exit(any(figure.ok is False for figure in figures))


if __name__ == "__main__":
    main()
