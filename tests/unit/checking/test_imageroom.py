"""What a check says of images of ours."""

from collections.abc import Callable
from typing import Any

import pytest

from launcher.checking.examining import examine
from launcher.checking.findings import Findings, State
from remuda.cloud.image_store import ImageUsage
from tests.unit.checking.conftest import Bench

Pick = Callable[[Findings], dict[str, str]]


@pytest.fixture
def imaged(bench: Bench) -> Bench:
    """A provider whose small label boots an image of ours, made on a large disk."""
    bench.pool["labels"]["small"]["image"] = {"built": "noble"}  # type: ignore[index]
    bench.doc["images"] = {"noble": {"base": "debian-12", "flavor": "large", "keep": 3}}
    return bench


def looked(bench: Bench, usage: ImageUsage | None = None, *, boot: bool = False) -> Findings:
    """Check, with what the cloud tells of its images."""
    tell: Any = lambda: usage  # noqa: E731
    bench.images.usage = tell  # type: ignore[method-assign]
    out = Findings()
    examine(bench.means(), out, boot=boot)
    return out


def said(out: Findings, subject: str) -> tuple[State, str]:
    """Return what is said of a subject."""
    return next((one.state, one.text) for one in out.lines if one.subject == subject)


def test_without_images_of_ours_nothing_is_asked(bench: Bench) -> None:
    """Nor of the label's image, which is the cloud's."""
    out = looked(bench)

    assert not any(one.subject == "images" for one in out.lines)


def test_a_label_whose_flavor_is_smaller_than_the_image_is_a_problem(
    imaged: Bench, problems: Pick
) -> None:
    """It would never boot."""
    found = problems(looked(imaged))

    assert list(found) == ["main/small disk"]
    assert "boots from no smaller one" in found["main/small disk"]
    imaged.doc["images"]["noble"]["flavor"] = "small"  # type: ignore[index]
    assert problems(looked(imaged)) == {}


def test_room_is_wanted_for_what_is_kept_and_one_candidate(imaged: Bench, problems: Pick) -> None:
    """Others' images take room, too."""
    imaged.doc["images"]["noble"]["flavor"] = "small"  # type: ignore[index]
    others = len(imaged.images.list_images())

    found = problems(looked(imaged, ImageUsage(images_max=3 + others)))
    assert found["images"].startswith("4 images of ours are to be kept")
    out = looked(imaged, ImageUsage(images_max=4 + others))
    assert said(out, "images")[0] is State.OK
    assert said(looked(imaged), "images")[0] is State.UNTESTED


def test_what_builders_boot_is_looked_up_and_what_they_make_is_not_booted(imaged: Bench) -> None:
    """The base has to be there; a build is on record in ZooKeeper only."""
    imaged.doc["images"]["noble"]["flavor"] = "small"  # type: ignore[index]
    out = looked(imaged, boot=True)

    assert said(out, "main/make/noble image")[0] is State.OK
    assert said(out, "main/small image")[0] is State.UNTESTED
    assert said(out, "small")[0] is State.UNTESTED
    assert said(out, "main/small flavor")[0] is State.OK
