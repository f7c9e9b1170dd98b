"""Failed builds of an image as a table: alike ones together, and what differs from the good one."""

from dataclasses import replace

from remuda.cli.views.failed_builds import failed_builds_sheet
from remuda.images.catalogue import Catalogue
from remuda.model.build import Blame, Build, Mishap
from remuda.model.build import BuildState as S
from remuda.model.upload import UploadState
from tests.unit.builder.judging import build, upload, world


def failed(number: int, message: str = "E: no such package") -> Build:
    """Return a build that failed."""
    mishap = Mishap(step="packages", blame=Blame.RECIPE, message=message)
    return build(number, S.FAILED, mishap=mishap)


def test_an_image_without_failures_has_no_rows() -> None:
    """Nothing is shown then."""
    sheet = failed_builds_sheet(Catalogue(world([build(1)]).library), "a")

    assert (list(sheet.rows), sheet.data) == ([], [])


def test_alike_failures_are_one_row() -> None:
    """The newest first; of many numbers the last few."""
    builds = [build(1), *(failed(number) for number in range(2, 9)), failed(9, "no room")]
    sheet = failed_builds_sheet(Catalogue(world(builds).library), "a")

    changed = "the recipe is as it was since build 1, the last good one"
    assert [tuple(row) for row in sheet.rows] == [
        ("packages: no room", "recipe", "9", changed),
        ("packages: E: no such package", "recipe", "8, 7, 6, 5, 4 and 2 more", changed),
    ]
    assert sheet.data[1] == {
        "signature": "packages: e: no such package",
        "blame": "recipe",
        "builds": [8, 7, 6, 5, 4, 3, 2],
        "said": "packages: E: no such package",
        "changed": changed,
    }


def test_a_build_that_was_rejected_everywhere_is_no_good_one() -> None:
    """It is compared with the one before, as the alarm does it."""
    rejected = replace(upload(2), state=UploadState.REJECTED)
    seen = Catalogue(world([build(1), build(2), failed(3)], [upload(1), rejected]).library)

    (row,) = failed_builds_sheet(seen, "a").rows
    assert row[3].endswith("since build 1, the last good one")
