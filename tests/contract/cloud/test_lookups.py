"""What nobody finds by a name, a pattern or a property: images of builds, and hidden ones."""

from pathlib import Path

import pytest

from remuda.cloud.api import BadOrderError, ImageWanted
from remuda.cloud.image_store import ImageEdit, StoredImage
from tests.contract.cloud.bench import Bench
from tests.contract.cloud.image_means import ordered, ready, running

MARK = "os_contract"


def wanted_ways(name: str, mark: str) -> list[ImageWanted]:
    """Return all ways to look for an image but by its id."""
    return [
        ImageWanted(name=name),
        ImageWanted(pattern=f"{name[:-1]}."),
        ImageWanted(properties={MARK: mark}),
        ImageWanted(name=name, properties={MARK: mark}),
    ]


def test_a_candidate_is_never_found_but_by_its_id(bench: Bench, source: Path) -> None:
    """Though it is the newest of its name: the one that is proven stays."""
    plain = ordered(bench)
    mark = plain.name
    proven = bench.images.upload(ordered(bench, name=plain.name, properties={MARK: mark}), source)
    candidates = ordered(bench, name=plain.name, properties={**plain.properties, MARK: mark})

    def newer() -> StoredImage | None:
        made = bench.images.upload(candidates, source)
        return made if made.created_s > proven.created_s else None

    candidate = bench.until(newer, "a candidate that is surely newer")

    found = [bench.cloud.find_image(each).id for each in wanted_ways(plain.name, mark)]

    assert candidate is not None
    assert set(found) == {proven.id}
    assert bench.cloud.find_image(ImageWanted(id=candidate.id)).id == candidate.id


def test_a_candidate_alone_is_not_found_either(bench: Bench, source: Path) -> None:
    """The refusal names its id, for people who mean it."""
    order = ordered(bench)
    candidate = bench.images.upload(order, source)

    with pytest.raises(BadOrderError, match=candidate.id):
        bench.cloud.find_image(ImageWanted(name=order.name))


def test_a_snapshot_is_not_found_the_moment_it_is_active(bench: Bench) -> None:
    """Nor while it is not yet, nor by what it inherits."""
    name, ours = bench.image_name_and_tags()
    image_id = bench.images.snapshot(running(bench), name, {**ours, MARK: name})

    for _ in range(2):
        for each in wanted_ways(name, name):
            with pytest.raises(BadOrderError):
                bench.cloud.find_image(each)
        ready(bench, image_id)

    assert bench.cloud.find_image(ImageWanted(id=image_id)).id == image_id


def test_what_somebody_made_of_our_machine_is_not_found_by_what_it_inherits(
    bench: Bench, source: Path
) -> None:
    """It descends from a build and nobody has proven it; its maker may take our tags away."""
    order = ordered(bench)
    mark = order.name
    image = bench.images.upload(
        ordered(bench, name=mark, properties={**order.properties, MARK: mark}), source
    )
    theirs = bench.images.snapshot(running(bench, image=image), f"{mark}-by-hand", {})
    ready(bench, theirs)

    with pytest.raises(BadOrderError, match=theirs):
        bench.cloud.find_image(ImageWanted(name=f"{mark}-by-hand"))
    with pytest.raises(BadOrderError):
        bench.cloud.find_image(ImageWanted(properties={MARK: mark}))
    bench.images.edit_image(theirs, ImageEdit(removed=tuple(order.properties)))

    assert bench.cloud.find_image(ImageWanted(name=f"{mark}-by-hand")).id == theirs


def test_a_hidden_image_is_found_and_booted_by_its_id_only(bench: Bench, source: Path) -> None:
    """By all but those who ask for hidden ones; shown again, it is found again."""
    name = ordered(bench).name
    image = bench.images.upload(ordered(bench, name=name, properties={MARK: name}), source)
    assert bench.cloud.find_image(ImageWanted(name=name)).id == image.id

    hidden = bench.images.edit_image(image.id, ImageEdit(hidden=True))
    for each in wanted_ways(name, name):
        with pytest.raises(BadOrderError):
            bench.cloud.find_image(each)
    by_id = bench.cloud.find_image(ImageWanted(id=image.id))
    server = bench.find(running(bench, image=by_id))
    listed = {each.id: each for each in bench.our_images()}[image.id]
    shown = bench.images.edit_image(image.id, ImageEdit(hidden=False))

    assert (image.hidden, hidden.hidden, listed.hidden, shown.hidden) == (False, True, True, False)
    assert server is not None
    assert server.image_id == image.id
    assert bench.cloud.find_image(ImageWanted(name=name)).id == image.id
