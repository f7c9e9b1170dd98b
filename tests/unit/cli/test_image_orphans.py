"""What can be known of orphans while no builder lives: from the file, else from the records."""

from pathlib import Path

import pytest

from remuda.cli.image.looking import list_images, show
from tests.support.imagedesk import ImageDesk
from tests.support.standin import StandIn
from tests.unit.cli.test_image_looking import CONFIG


@pytest.fixture
def desk() -> ImageDesk:
    """A build in two providers; nobody is running."""
    desk = ImageDesk()
    desk.shelf(1)
    return desk


def test_without_a_builder_the_file_says_what_is_an_orphan(desk: ImageDesk, tmp_path: Path) -> None:
    """While one lives, it is asked: its file is what counts."""
    file = tmp_path / "remuda.yaml"
    file.write_text(CONFIG.replace("fresh: {", "debian: {"))
    words = ("--config", str(file))
    found = {one["provider"]: one["orphan"] for one in desk.json(list_images, *words)}
    assert found == {"alpha": False, "beta": True}
    desk.builder(providers={"debian": ("alpha", "beta")})
    assert not any(one["orphan"] for one in desk.json(list_images, *words))


@pytest.mark.parametrize("text", ["nonsense: 7", "zookeeper: {hosts: [z]}"])
def test_a_file_that_says_nothing_of_images_makes_no_orphans(
    desk: ImageDesk, tmp_path: Path, text: str
) -> None:
    """It may be a requestor's, or broken: records can be looked at all the same."""
    file = tmp_path / "remuda.yaml"
    file.write_text(text)

    assert not any(one["orphan"] for one in desk.json(list_images, "--config", str(file)))


def test_without_a_builder_and_a_file_it_is_told_who_may_be_an_orphan(desk: ImageDesk) -> None:
    """From the records: a provider without a launcher may have left."""
    StandIn(desk.zookeeper.connect(), "alpha").register("small")
    note = "no launcher of beta is running: what is there may be in no configuration any more"

    assert note in desk.call(list_images).stdout
    assert note in desk.call(show, "debian").stdout
    desk.builder()
    assert note not in desk.call(list_images).stdout
