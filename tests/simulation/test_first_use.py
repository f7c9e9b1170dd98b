"""An image that is made on first use, in the simulation: both kinds of machines, and its end."""

from dataclasses import replace
from random import Random
from typing import Any, Final

import pytest

from launcher.image import binding
from launcher.world import World
from remuda.cloud.api import Quota
from remuda.images import library
from remuda.model.ids import NodeId
from remuda.model.image import place_of
from tests.simulation.firstuse import FIRST, TTL_S
from tests.simulation.history import ViolationError
from tests.simulation.imagesetting import Images, applied
from tests.simulation.setting import LABELS, draw
from tests.simulation.simulation import Simulation

#: A mutant is seen within so many seeds.
SEEDS_MAX: Final = 6
#: Of what one seed in seven has: where to begin, so that it need not be long.
RARE_SEEDS_MAX: Final = 60
RARE_SEED: Final = 15
CHANGING: Final[dict[str, Any]] = {
    "build_s": 3.0,
    "prove_s": 1.0,
    "move_s": 1.0,
    "command_s": 0.0,
    "tidy_s": 0.5,
}


def installation(seed: int, *, requests: int, lasts_s: float = 120.0) -> Simulation:
    """Return an installation without faults, all of whose labels boot what nobody has made."""
    drawn = draw(Random(f"setting {seed}"), calm=True)  # noqa: S311 - reproducible, not secret
    places = {name: place_of(project=name, region="", endpoint="") for name in drawn.replicas}
    built = {(provider, label): FIRST for provider in places for label in LABELS}
    images = Images(built=built, places=places, **CHANGING)
    document = applied(drawn.document, images)
    for provider in document["providers"].values():
        provider["pools"]["main"] |= {"max-servers": 8, "max-cores": None}
    quotas = dict.fromkeys(drawn.quotas, Quota())
    setting = replace(
        drawn, document=document, images=images, clients=0, quotas=quotas, chaos_s=lasts_s
    )
    simulation = Simulation(seed=seed, setting=setting)
    for number in range(requests):
        simulation.come(4.0 * number, node_types=["small", "small"], reuse=True)
    return simulation


def run_all(count: int, first: int = 1) -> None:
    """Run so many seeds of it."""
    for seed in range(first, first + count):
        installation(seed, requests=40).storm()


def test_the_first_machines_run_the_recipe_and_later_ones_boot_its_build() -> None:
    """Nobody waits for a build; the use of it is on record."""
    simulation = installation(1, requests=20)
    simulation.storm()
    assert simulation.librarian is not None
    assert simulation.oracle.images is not None
    seen = library.read(simulation.librarian.store)

    assert len(simulation.oracle.images.plain) > 2
    assert any(count > 0 for count in simulation.oracle.images.tallied.values()), "some boot it"
    assert seen.uses[FIRST].value.at_s is not None
    assert not any(client.outcome == "failed" for client in simulation.clients)


def test_unused_it_goes_and_nothing_that_is_booted_is_deleted() -> None:
    """As the oracle sees to it; the next one would be the first again."""
    simulation = installation(2, requests=15, lasts_s=60.0 + 8 * TTL_S)
    simulation.storm()
    assert simulation.librarian is not None
    assert simulation.oracle.images is not None
    seen = library.read(simulation.librarian.store)

    assert any(count > 0 for count in simulation.oracle.images.tallied.values()), "it was there"
    assert not any(image == FIRST for image, _ in seen.pointers)
    assert not seen.uploads
    assert simulation.oracle.images.erased


def test_the_oracle_sees_a_request_that_gets_machines_of_both_kinds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One that ran the recipe, and one that booted a build of it, as one seed in seven has it."""
    real = binding._build

    def of_any_kind(world: World, node_id: NodeId) -> tuple[str | None, int]:
        launch = world.nodes.views[node_id].launch
        plainly = launch is not None and launch.first_use is not None
        return (None, 0) if plainly else real(world, node_id)

    monkeypatch.setattr(binding, "_build", of_any_kind)
    monkeypatch.setattr(binding, "begun_plain", lambda *_: False)
    with pytest.raises(ViolationError, match="got nodes of"):
        run_all(RARE_SEEDS_MAX, RARE_SEED)
