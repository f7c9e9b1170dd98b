"""`remuda image build`: what is not asked for, and what is said if nobody would answer."""

from pathlib import Path

import pytest

from remuda.cli.image.building import build
from tests.support.imagedesk import ImageDesk
from tests.unit.cli.test_image_looking import CONFIG


@pytest.fixture
def desk() -> ImageDesk:
    """An image with three builds, and a builder that speaks of no recipe yet."""
    desk = ImageDesk()
    desk.shelf(1, 2, 3)
    desk.builder()
    return desk


def test_what_nobody_would_build_is_not_asked_for(desk: ImageDesk, tmp_path: Path) -> None:
    """Whoever waited for it would wait for ever; a builder may be slow to read a new file."""
    desk.builder(providers={"ubuntu": ("alpha",)})
    refused = desk.call(build, "debian")

    assert refused.exit_code == 1
    assert "debian is not in the configuration of any builder" in refused.stderr
    assert desk.read_image().wanted is None
    file = tmp_path / "remuda.yaml"
    file.write_text(CONFIG.replace("fresh: {", "debian: {"))
    assert desk.call(build, "debian", "--config", str(file)).exit_code == 0


def test_a_wish_without_any_builder_says_so() -> None:
    """It stays, for the one that comes."""
    desk = ImageDesk()
    desk.image(last_build=3)

    assert desk.call(build, "debian").stdout == (
        "debian: a build above 3 is wanted, but no builder is running\n"
    )


def test_a_limit_without_waiting_is_a_mistake(desk: ImageDesk) -> None:
    """Else it would be taken for the limit of the build."""
    result = desk.call(build, "debian", "--timeout", "5m")

    assert (result.exit_code, desk.read_image().wanted) == (2, None)
    assert "it needs --wait" in result.stderr


def test_who_waits_without_any_builder_hears_it_once_and_in_the_end() -> None:
    """Nothing else would ever be said."""
    desk = ImageDesk()
    desk.image(last_build=3)
    result = desk.call(build, "debian", "--wait", "--timeout", "0.2s")

    assert result.exit_code == 5
    assert result.stdout == "debian: a build above 3 is wanted, but no builder is running\n"
    assert result.stderr == "remuda: debian did not become current in time: no builder is running\n"


def test_who_waits_for_builders_with_an_older_file_hears_it(
    desk: ImageDesk, tmp_path: Path
) -> None:
    """They have not read the new one yet."""
    desk.builder(providers={"ubuntu": ("alpha",)})
    file = tmp_path / "remuda.yaml"
    file.write_text(CONFIG.replace("fresh: {", "debian: {"))
    words = ["--wait", "--timeout", "0.2s", "--config", str(file)]
    result = desk.call(build, "debian", *words)

    why = "no builder has it in its configuration"
    assert result.exit_code == 5
    assert f"debian waits: {why}" in result.stdout.splitlines()
    assert result.stderr == f"remuda: debian did not become current in time: {why}\n"
