"""Images of ours in the simulation: a few seeds, and proof that each rule can be seen broken."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Any, Final

import pytest

from builder.upload import writes as upload_writes
from launcher.image import binding
from launcher.image.index import Images as Known
from launcher.image.index import NoneServed
from launcher.node import lifecycle
from launcher.node import writes as node_writes
from launcher.node.actions import Count, Sampled
from launcher.policy import Policy
from launcher.request import allocate
from launcher.server import start
from launcher.world import World
from remuda.cloud.api import Quota
from remuda.images import library, references, writes
from remuda.images.library import Library
from remuda.images.references import upload_of
from remuda.model.build import Build
from remuda.model.ids import NodeId
from remuda.model.image import UploadId, place_of
from remuda.model.launch import Launch
from remuda.model.pointer import MoveWhy
from remuda.model.upload import WHOLE, Upload, UploadState
from remuda.store.api import Op, Stored
from tests.simulation import nights
from tests.simulation.history import ViolationError
from tests.simulation.imagerules import ImageRules
from tests.simulation.imagesetting import Images, applied
from tests.simulation.reading import Reader
from tests.simulation.setting import LABELS, draw
from tests.simulation.simulation import Simulation, simulate
from tests.support.canaries import PLAN

#: A mutant is seen within so many seeds.
SEEDS_MAX: Final = 6
#: Mean seconds, and how many machines builders ask for.
CHANGING: Final[dict[str, Any]] = {
    "build_s": 4.0,
    "prove_s": 1.0,
    "move_s": 1.0,
    "command_s": 3.0,
    "tidy_s": 0.5,
    "asks": 4,
    "canary": replace(PLAN, share=0.5, good=0.1, bad=0.6, after_s=8.0),
}
Mutate = Callable[[pytest.MonkeyPatch], None]


@pytest.mark.parametrize("seed", range(4))
def test_labels_boot_images_of_ours_whatever_becomes_of_those(seed: int) -> None:
    """Builds come, are proven, revoked and deleted; all is served in the end."""
    simulation = simulate(seed, imaged=True)

    assert simulation.librarian is not None
    assert simulation.librarian.in_order


def test_the_same_seed_does_the_same_again() -> None:
    """With images, too."""
    one, other = (simulate(1, imaged=True).history.digest() for _ in range(2))

    assert one == other


def test_what_the_librarian_reads_is_never_old(monkeypatch: pytest.MonkeyPatch) -> None:
    """It reads again only what was written since, and would find the same by reading everything."""
    known, kept = Reader.fresh, [0, 0]

    def fresh(reader: Reader) -> Library:
        kept[reader.holds] += 1
        found = known(reader)
        assert found == library.read(reader.store)
        return found

    monkeypatch.setattr(Reader, "fresh", fresh)
    busy(2).storm()

    assert min(kept) > 20


def test_without_a_usable_build_requests_wait_and_are_served_once_there_is_one() -> None:
    """For a minute there is none: nobody is refused, and nothing is made."""
    simulation = busy(3, stocked=False, build_s=0.0, asks=0)
    simulation.start_all()
    simulation.run_until(60.0)
    waiting = [client for client in simulation.clients if client.request is not None]
    assert waiting
    assert not any(client.outcome == "failed" for client in waiting)
    assert not any(rules_of(simulation).stored)

    simulation.end_storm()
    simulation.settle()
    assert not any(client.outcome == "failed" for client in waiting)


def test_builds_are_tried_counted_and_judged() -> None:
    """Launches of what is tried, and of what is current; each once, as the oracle sees to it."""
    simulation = busy(2)
    simulation.storm()
    assert simulation.librarian is not None
    seen = library.read(simulation.librarian.store)
    kinds = {move.kind for one in seen.pointers.values() for move in one.value.moves}

    assert MoveWhy.CANARY in kinds
    assert sum(rules_of(simulation).tallied.values()) > 20
    assert any(one.value.builds for one in seen.tallies.values())


def rules_of(simulation: Simulation) -> ImageRules:
    """Return the oracle of images."""
    assert simulation.oracle.images is not None
    return simulation.oracle.images


def busy(seed: int, **changes: Any) -> Simulation:
    """Return an installation without faults, in which images change all the time."""
    drawn = draw(Random(f"setting {seed}"), calm=True)  # noqa: S311 - reproducible, not secret
    places = {name: place_of(project=name, region="", endpoint="") for name in drawn.replicas}
    images = Images(
        built={(provider, label): "core" for provider in places for label in LABELS},
        places=places,
        **{**CHANGING, **changes},
    )
    document = applied(drawn.document, images)
    for provider in document["providers"].values():
        provider["max-concurrency"] = 20
        provider["pools"]["main"] |= {"max-servers": 8, "max-cores": None}
    labels = {**document["labels"], "small": {**document["labels"]["small"], "min-ready": 4}}
    document = {**document, "labels": labels}
    quotas = dict.fromkeys(drawn.quotas, Quota())
    setting = replace(
        drawn, document=document, images=images, clients=10, quotas=quotas, chaos_s=120.0
    )
    simulation = Simulation(seed=seed, setting=setting)
    for number in range(40):
        simulation.come(3.0 * number, node_types=["small", "small"], reuse=True)
    return simulation


def run_all(count: int) -> None:
    """Run so many seeds of it, without what comes after the storm."""
    for seed in range(1, count + 1):
        busy(seed).storm()


def _seen(world: World, new: Sequence[node_writes.NewNode]) -> list[Stored[Upload]]:
    found = (upload_of(one.launch) for one in new)
    return [world.images.uploads[one] for one in sorted({one for one in found if one is not None})]


def mixes(patch: pytest.MonkeyPatch) -> None:
    """Serve a request with whatever is ready, and begin what is missing with what is current."""

    def anything(
        _world: World, labels: Sequence[str], ready: Mapping[str, Sequence[NodeId]]
    ) -> tuple[NodeId, ...] | None:
        left = {label: list(ready.get(label, ())) for label in labels}
        if any(len(left[label]) < labels.count(label) for label in labels):
            return None
        return tuple(left[label].pop(0) for label in labels)

    patch.setattr(Policy, "share_an_image", lambda *_: False)
    for module in (binding, allocate):
        patch.setattr(module, "choose", anything)
    patch.setattr(binding, "_begun", lambda *_: None)
    patch.setattr("launcher.image.outdated.left_out", lambda *_: None)


def serves_newest(
    states: Collection[UploadState],
) -> Callable[[Known, str, float], UploadId | NoneServed]:
    """Return what serves the newest upload in some state, where a pointer says that they lie."""

    def served(self: Known, image: str, _now_s: float) -> UploadId | NoneServed:
        pointed = self.pointers.get(image)
        some = [
            one
            for one, stored in self.uploads.items()
            if one.build.image == image and pointed is not None and one.place == pointed.value.place
            if stored.value.state in states
        ]
        return max(some, default=NoneServed("it is not there"))

    return served


def hears_no_word(patch: pytest.MonkeyPatch) -> None:
    """Boot the newest usable build, though somebody has revoked or withdrawn it."""
    patch.setattr(Known, "served", serves_newest({UploadState.USABLE}))
    for module in (lifecycle, start):
        patch.setattr(module, "unbootable", lambda *_: None)
    patch.setattr(lifecycle, "_unwelcome", lambda *_: None)


def counts_no_launches(patch: pytest.MonkeyPatch) -> None:
    """Delete what retires, whoever boots it."""
    patch.setattr(references, "why_kept", lambda *_: None)


def hands_out_anything(patch: pytest.MonkeyPatch) -> None:
    """Keep what is ready, whatever is revoked."""
    patch.setattr(Known, "spoiled", lambda *_: None)


def boots_candidates(patch: pytest.MonkeyPatch) -> None:
    """Boot the newest whole build, proven or not."""
    patch.setattr(Known, "served", serves_newest(WHOLE))
    patch.setattr(lifecycle, "unbootable", lambda *_: None)
    patch.setattr(
        node_writes,
        "_bind",
        lambda world, new: [writes.bind(one, candidate=True) for one in _seen(world, new)],
    )


def counts_twice(patch: pytest.MonkeyPatch) -> None:
    """Count each launch as if it were two."""
    before = node_writes._tally

    def tally(world: World, image: str, counted: Sequence[tuple[Launch, Sampled]]) -> list[Op]:
        return before(world, image, [*counted, *counted])

    patch.setattr(node_writes, "_tally", tally)


def forgets_that_it_has_counted(patch: pytest.MonkeyPatch) -> None:
    """Count whatever was ready once, at each look."""
    before = node_writes.count

    def count(world: World, action: Count) -> list[Op]:
        return before(world, action)[len(action.samples) :]

    patch.setattr(node_writes, "count", count)


def uploads_what_is_the_same(patch: pytest.MonkeyPatch) -> None:
    """End a build that is the same, and have it uploaded all the same."""
    before = nights.keep_same

    def keep(stored: Stored[Build], *words: Any, now_s: float) -> list[Op]:
        upload_id = UploadId(stored.value.id, stored.value.place or "")
        pending = upload_writes.create_upload(upload_writes.pending(upload_id, now_s))
        return [*before(stored, *words, now_s=now_s), pending]

    patch.setattr(nights, "keep_same", keep)


MUTANTS: Final[tuple[tuple[Mutate, str], ...]] = (
    (mixes, "got nodes of"),
    (hears_no_word, "which is not booted any more"),
    (counts_no_launches, "is to be deleted, but"),
    (hands_out_anything, "which is revoked"),
    (boots_candidates, "is to boot"),
    (counts_twice, "tally: "),
    (forgets_that_it_has_counted, "tally: "),
    (uploads_what_is_the_same, "and uploaded"),
)


# Its limit only ends what hangs.
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("mutate", "told"), MUTANTS, ids=[one.__name__ for one, _ in MUTANTS])
def test_the_oracle_sees_what_must_not_happen(
    mutate: Mutate, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each rule is broken by a mutant, within a few seeds."""
    mutate(monkeypatch)
    with pytest.raises(ViolationError, match=told):
        run_all(SEEDS_MAX)
