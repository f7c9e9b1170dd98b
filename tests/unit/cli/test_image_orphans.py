"""What can be known of orphans while no builder lives: from the file, else from the records."""

from pathlib import Path

import pytest

from remuda.cli.image.overview import list_images, show
from tests.support.imageharness import ImageHarness
from tests.support.standin import StandIn
from tests.unit.cli.test_image_overview import CONFIG


@pytest.fixture
def harness() -> ImageHarness:
    """A build in two providers; nobody is running."""
    harness = ImageHarness()
    harness.shelf(1)
    return harness


def test_without_a_builder_the_file_says_what_is_an_orphan(
    harness: ImageHarness, tmp_path: Path
) -> None:
    """While one lives, it is asked: its file is what counts."""
    file = tmp_path / "remuda.yaml"
    file.write_text(CONFIG.replace("fresh: {", "debian: {"))
    words = ("--config", str(file))
    found = {one["provider"]: one["orphan"] for one in harness.json(list_images, *words)}
    assert found == {"alpha": False, "beta": True}
    harness.builder(providers={"debian": ("alpha", "beta")})
    assert not any(one["orphan"] for one in harness.json(list_images, *words))


@pytest.mark.parametrize("text", ["nonsense: 7", "zookeeper: {hosts: [z]}"])
def test_a_file_that_says_nothing_of_images_makes_no_orphans(
    harness: ImageHarness, tmp_path: Path, text: str
) -> None:
    """It may be a requestor's, or broken: records can be looked at all the same."""
    file = tmp_path / "remuda.yaml"
    file.write_text(text)

    assert not any(one["orphan"] for one in harness.json(list_images, "--config", str(file)))


def test_without_a_builder_and_a_file_it_is_told_who_may_be_an_orphan(
    harness: ImageHarness,
) -> None:
    """From the records: a provider without a launcher may have left."""
    StandIn(harness.zookeeper.connect(), "alpha").register("small")
    note = "no launcher of beta is running: what is there may be in no configuration any more"

    assert note in harness.call(list_images).stdout
    assert note in harness.call(show, "debian").stdout
    harness.builder()
    assert note not in harness.call(list_images).stdout
