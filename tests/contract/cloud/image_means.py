"""What the suites of images need of a bench."""

from typing import Final

import pytest

from remuda.cloud.api import Cloud, GoneError
from remuda.cloud.image_store import ImageOrder, ImageStatus, ImageStore, StoredImage
from remuda.model.ids import ServerId
from tests.contract.cloud.bench import Bench

ABSENT: Final = "99999999-9999-4999-8999-999999999999"
#: More than one piece on every way, and no whole number of any.
SOURCE_BYTES: Final = 3_000_001


def ordered(bench: Bench, **changes: object) -> ImageOrder:
    """Return an order for an image of ours."""
    name, properties = bench.image_name_and_tags()
    given: dict[str, object] = {"name": name, "disk_format": "raw", "properties": properties}
    return ImageOrder(**(given | changes))  # type: ignore[arg-type]


def running(bench: Bench, **changes: object) -> ServerId:
    """Return a server that runs."""
    return bench.active(bench.cloud.create_server(bench.order(**changes))).id


def gone(bench: Bench, image_id: str) -> bool:
    """Whether the image is neither listed nor found."""
    if image_id in {each.id for each in bench.images.list_images()}:
        return False
    with pytest.raises(GoneError):
        bench.images.get_image(image_id)
    return True


def ready(bench: Bench, image_id: str) -> StoredImage:
    """Wait until an image is active."""

    def look() -> StoredImage | None:
        found = [each for each in bench.images.list_images() if each.id == image_id]
        assert found, "the image is gone"
        return found[0] if found[0].status is ImageStatus.ACTIVE else None

    found = bench.until(look, "image active")
    assert found is not None
    return found


def neighbour(bench: Bench) -> tuple[Cloud, ImageStore]:
    """Return another project, or skip the test here."""
    other = bench.neighbour()
    if other is None:
        pytest.skip("this cloud has one project")
    return other
