"""Aimed faults: what random storms seldom meet, as small stories with an end."""

from dataclasses import replace
from random import Random
from typing import Any

from remuda.model.request import RequestState
from remuda.store import paths
from tests.fakes.cloud_fates import Boot, BootEnd
from tests.simulation.clients import Client
from tests.simulation.faults import Faults
from tests.simulation.setting import Rates, draw
from tests.simulation.simulation import Simulation

BOOT_S = 5.0
#: By then every launcher is up, knows the others, and has looked at its cloud.
UP_S = 5.0
ANYBODY: dict[str, Any] = {"provider": None, "reuse": True, "relative_priority": 0}


def stage(*, alpha: dict[str, Any], beta: dict[str, Any], min_ready: int = 0) -> Simulation:
    """Return a calm installation with two providers; each is changed in its own way."""
    drawn = draw(Random("scenarios"), calm=True)  # noqa: S311 - reproducible, not secret
    pool = {**drawn.document["providers"]["alpha"]["pools"]["main"], "floating-ips": False}
    small = {"small": pool["labels"]["small"]}
    usual = {
        **drawn.document["providers"]["alpha"],
        "launch-attempts": 3,
        "max-concurrency": 20,
    }
    document = {
        "labels": {"small": {"min-ready": min_ready, "setup": {"inline": "#!/bin/sh\ntrue\n"}}},
        "providers": {
            name: {
                **usual,
                "cloud": name,
                **{key: value for key, value in own.items() if key != "max-servers"},
                "pools": {
                    "main": {
                        **pool,
                        "max-servers": own.get("max-servers", 12),
                        "max-cores": None,
                        "labels": small,
                    }
                },
            }
            for name, own in (("alpha", alpha), ("beta", beta))
        },
    }
    setting = replace(
        drawn,
        document=document,
        replicas={"alpha": 1, "beta": 1},
        quotas={name: replace(quota, instances_max=None) for name, quota in drawn.quotas.items()},
        rates=Rates(),
    )
    simulation = Simulation(seed=11, setting=setting)
    simulation.calm = True  # nothing happens but what a story tells
    return simulation


def up(simulation: Simulation, **replicas: int) -> None:
    """Start the launchers, and wait until they are up."""
    for provider, count in {"alpha": 1, "beta": 1, **replicas}.items():
        for number in range(count):
            simulation.start_launcher(provider, f"{provider}{number}")
    simulation.run_until(UP_S)


def waiting(simulation: Simulation, clients: list[Client]) -> list[Client]:
    """Return the clients whose request still waits for its nodes."""
    states = (RequestState.REQUESTED, RequestState.PENDING)
    found = [(one, one.request and simulation.oracle.request(one.request)) for one in clients]
    return [one for one, request in found if request is not None and request.state in states]


def silence(simulation: Simulation) -> None:
    """Have the first cloud answer no create call for four seconds."""
    simulation.skies["alpha"].mute_until_s = simulation.timetable.now_s() + 4.0


def ends_well(simulation: Simulation, clients: list[Client]) -> bool:
    """Let everything come to rest, and return whether no client's request failed."""
    simulation.settle()
    return all(client.outcome != "failed" for client in clients)


def test_three_bad_boots_do_not_fail_the_first_of_ten_requests() -> None:
    """Ten requests of one label share machines: each is given up for its own launches only."""
    simulation = stage(alpha={}, beta={"max-servers": 0})
    up(simulation)
    clients = [simulation.come(0.01 * n, node_types=["small"], **ANYBODY) for n in range(10)]
    for _ in range(3):
        simulation.skies["alpha"].cloud.next_boots.append(Boot(end=BootEnd.ERROR, seconds=1.0))

    assert ends_well(simulation, clients)


def test_a_request_whose_every_launch_fails_is_given_up() -> None:
    """After ``launch-attempts`` of its own; the oracle counts them."""
    simulation = stage(alpha={}, beta={"max-servers": 0})
    up(simulation)
    client = simulation.come(0.0, node_types=["small"], **ANYBODY)
    for _ in range(3):
        simulation.skies["alpha"].cloud.next_boots.append(Boot(end=BootEnd.ERROR, seconds=1.0))

    assert not ends_well(simulation, [client])


def test_a_moment_without_answers_does_not_keep_requests_from_another_cloud() -> None:
    """What the silent cloud may have made is no supply; the other one is idle."""
    simulation = stage(alpha={"priority": 10}, beta={"priority": 90})
    up(simulation)
    silence(simulation)
    clients = [simulation.come(0.1 * n, node_types=["small"], **ANYBODY) for n in range(3)]
    simulation.run_until(simulation.timetable.now_s() + 30.0)

    assert waiting(simulation, clients) == []
    assert ends_well(simulation, clients)


def test_a_moment_without_answers_of_the_only_cloud_costs_little_more_than_itself() -> None:
    """Others are made within the limits long before it is sure that the first are not there."""
    simulation = stage(alpha={}, beta={"max-servers": 0})
    up(simulation)
    silence(simulation)
    clients = [simulation.come(0.1 * n, node_types=["small"], **ANYBODY) for n in range(3)]
    simulation.run_until(simulation.timetable.now_s() + 40.0)

    assert waiting(simulation, clients) == []
    assert ends_well(simulation, clients)


def test_a_ready_machine_elsewhere_is_used_at_once() -> None:
    """The first cloud boots for a minute; the other has a machine after some seconds."""
    simulation = stage(alpha={"priority": 10}, beta={"priority": 90}, min_ready=2)
    simulation.skies["alpha"].cloud.boot_s = 50.0
    simulation.skies["beta"].cloud.boot_s = 8.0
    for name in ("alpha", "beta"):
        simulation.start_launcher(name, f"{name}0")
    simulation.run_until(3.0)
    client = simulation.come(0.0, node_types=["small"], **ANYBODY)
    simulation.run_until(simulation.timetable.now_s() + 22.0)

    assert waiting(simulation, [client]) == []
    assert ends_well(simulation, [client])


def test_a_claim_is_served_though_a_sibling_that_had_declined_is_back() -> None:
    """It was away when its twin claimed the request, and is back before it is served."""
    simulation = stage(alpha={"max-servers": 0}, beta={})
    up(simulation, beta=2)
    twin = next(one for one in simulation.processes if one.name.startswith("beta1"))
    declined = list(twin.brain.world.pool_ids.values())
    faults, session_id = Faults(simulation), twin.store.session_id
    twin.store.suspend()
    simulation.zookeeper.end_session(session_id)
    client = simulation.come(0.5, node_types=["small"], declined_by=declined, **ANYBODY)
    simulation.timetable.after(2.0, lambda: faults._reconnect(twin, expired=True))

    assert ends_well(simulation, [client])


def test_a_lost_reply_and_a_reload_leave_no_pool_registered_twice() -> None:
    """Whatever happened at the moment of both, each pool is seen once in the end."""
    simulation = stage(alpha={}, beta={})
    up(simulation)
    process = simulation.processes[0]
    process.store.wire.script("after")
    process.reload(simulation.setting.config)
    # It hears that the reply is lost, but reads what is there only after it registers again.
    process.lag_until_s = simulation.timetable.now_s() + 2.0
    while process.brain.world.attendance.registered:
        assert process.store.wire.deliver_one()
        process.think()

    assert ends_well(simulation, [])
    assert len(simulation.oracle.names(paths.POOL_COMPONENTS)) == 2


def test_two_claims_that_keep_the_room_from_each_other_end() -> None:
    """The operator made the pool smaller while both were being made: one gives way."""
    simulation = stage(alpha={"max-servers": 4}, beta={"max-servers": 0})
    up(simulation)
    sky = simulation.skies["alpha"]
    for _ in range(2):
        sky.cloud.next_boots += [Boot(), Boot(end=BootEnd.ERROR, seconds=20.0)]
    clients = [
        simulation.come(0.1 * n, node_types=["small"] * 2, **{**ANYBODY, "reuse": False})
        for n in range(2)
    ]
    simulation.run_until(simulation.timetable.now_s() + 7.0)
    simulation.document["providers"]["alpha"]["pools"]["main"]["max-servers"] = 2
    simulation.oracle.configured(simulation.setting.config)
    simulation.processes[0].reload(simulation.setting.config)

    assert ends_well(simulation, clients)


def test_what_a_fail_over_leaves_is_given_up_and_nothing_comes_and_goes() -> None:
    """The other cloud took over min-ready; then the first one is back with its own."""
    simulation = stage(alpha={}, beta={}, min_ready=4)
    small = {**simulation.document["labels"]["small"], "max-surplus-age": 60}
    simulation.document = {**simulation.document, "labels": {"small": small}}
    up(simulation)
    simulation.run_until(60.0)
    (alpha,) = (one for one in simulation.processes if one.sky.provider == "alpha")
    simulation.crash(alpha, restart_s=30.0)
    simulation.run_until(100.0)
    after_it, least = simulation.ready()["small"], 99
    made = [len(sky.cloud.orders) for sky in simulation.skies.values()]
    for _ in range(300):
        simulation.run_until(simulation.timetable.now_s() + 1.0)
        least = min(least, simulation.ready()["small"])

    assert (after_it, least, simulation.ready()["small"]) == (6, 4, 4)
    assert made == [len(sky.cloud.orders) for sky in simulation.skies.values()]
    simulation.settle()
