"""Aimed faults that random storms do not find: each once with nothing else in the way."""

from dataclasses import replace
from random import Random

import pytest

from remuda.membership.rendezvous import assignee
from remuda.model.ids import ReplicaId
from remuda.store import paths
from tests.simulation.hostility import NEIGHBOUR, Hostility, add_neighbours, permit
from tests.simulation.process import Process
from tests.simulation.setting import INSTALLATION, HostileRates, Rates, Setting, draw
from tests.simulation.simulation import Simulation, simulate


def calm(clients: int = 6, chaos_s: float = 200.0) -> Setting:
    """Return an installation of one provider's launchers, without usual faults."""
    drawn = draw(Random("hostile"), calm=True)  # noqa: S311 - reproducible, not secret
    return replace(drawn, clients=clients, chaos_s=chaos_s, rates=Rates())


def twins(simulation: Simulation) -> tuple[Process, Process]:
    """Start two replicas: the one that sweeps, and the one that makes nodes."""
    for number in range(100):
        hosts = [f"alpha{number}", f"alpha{number + 1}"]
        living = [ReplicaId(f"{host}.1") for host in hosts]
        sweeper, maker = assignee("sweep", living), assignee("demand", living)
        if sweeper != maker:
            started = {f"{host}.1": simulation.start_launcher("alpha", host) for host in hosts}
            return started[str(sweeper)], started[str(maker)]
    raise AssertionError("no two replicas share the duties")


def test_a_launcher_with_an_old_view_spares_its_twins_machines() -> None:
    """It sees servers without records for minutes, because its server of ZooKeeper stands still."""
    simulation = Simulation(seed=1, setting=calm())
    sweeper, _maker = twins(simulation)
    simulation.start_launcher("beta", "beta0")
    simulation.skies["alpha"].cloud.boot_s = 50.0
    simulation.run_until(150.0)
    simulation.invite()
    while simulation.timetable.now_s() < 400.0:
        # A write of its own would bring it up to date; then it falls behind again at once.
        sweeper.store.fall_behind()
        simulation.step()

    spared = [line for line in simulation.history.lines if "server.spared" in line]
    assert spared
    simulation.end_storm()
    sweeper.store.catch_up()
    simulation.settle()


def test_refused_deletions_and_lying_lists_bury_nothing() -> None:
    """The limits hold all the same: what was not deleted still counts, and goes in the end."""
    simulation = Simulation(seed=2, setting=calm(clients=16, chaos_s=60.0))
    simulation.start_all()
    simulation.invite()
    hostility = Hostility(simulation)
    for second in range(20, 90, 5):
        simulation.timetable.after(second, lambda: hostility.black_out("alpha"))
    simulation.run_until(100.0)
    refused = [line for line in simulation.history.lines if "node.delete-failed" in line]

    assert refused
    simulation.end_storm()
    simulation.settle()


@pytest.mark.parametrize("pinned", [False, True])
def test_forged_records_and_a_restart_delete_no_servers_of_anothers(*, pinned: bool) -> None:
    """The id of another installation, and a permission for its servers; the oracle looks on."""
    setting = calm(clients=0)
    labels = {name: {**doc, "min-ready": 0} for name, doc in setting.document["labels"].items()}
    pin = {"installation": INSTALLATION if pinned else None}
    document = {**setting.document, **pin, "labels": labels}
    simulation = Simulation(seed=3, setting=replace(setting, document=document))
    servers = add_neighbours(simulation.skies["alpha"])
    launcher = simulation.start_launcher("alpha", "alpha0")
    simulation.run_until(100.0)
    hostility = Hostility(simulation)

    hostility.identify(NEIGHBOUR)
    simulation.crash(launcher, restart_s=1.0)
    for second in range(0, 400, 20):
        simulation.timetable.after(second, lambda: permit(simulation, "alpha", servers))
    simulation.run_until(500.0)

    there = simulation.skies["alpha"].cloud.truth()
    assert set(servers) <= set(there)
    assert any("refuses to start" in line for line in simulation.history.lines) is pinned


@pytest.mark.parametrize("kind", ["forge", "behind", "takeover", "blackout"])
@pytest.mark.parametrize("seed", range(3))
def test_no_hostility_deletes_what_is_not_ours(kind: str, seed: int) -> None:
    """Often and among all usual faults; the oracle knows whose each machine is."""
    simulation = simulate(800 + seed, hostility=HostileRates(**{kind: 8.0}))

    assert simulation.oracle.read(paths.INSTALLATION) == b"simulated"
