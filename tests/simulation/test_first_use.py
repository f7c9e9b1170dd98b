"""An image that is made on first use, in the simulation: both kinds of machines, and its end."""

from dataclasses import replace
from random import Random
from typing import Any, Final

import pytest

from launcher.image import first_use
from remuda.cloud.api import Quota
from remuda.images import library
from remuda.model.image import place_of
from remuda.model.launch import Launch
from tests.simulation.firstuse import FIRST, TTL_S
from tests.simulation.history import ViolationError
from tests.simulation.imagesetting import Images, applied
from tests.simulation.setting import LABELS, draw
from tests.simulation.simulation import Simulation

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


def test_the_oracle_sees_a_machine_that_boots_no_image_without_a_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A launch that does not say that it runs the recipe would leave its taker without it."""
    real = Launch.__init__

    def forgets(self: Launch, **fields: Any) -> None:
        real(self, **{**fields, "first_use": None})

    monkeypatch.setattr(Launch, "__init__", forgets)
    monkeypatch.setattr(first_use, "outlived", lambda *_: None)
    with pytest.raises(ViolationError, match="boots no image of ours"):
        installation(1, requests=10).storm()
