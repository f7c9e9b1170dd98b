"""`remuda image build`: what is not asked for, and what is said if nobody would answer."""

from pathlib import Path

import pytest

from remuda.cli.image.building import build
from tests.support.imageharness import ImageHarness
from tests.unit.cli.test_image_overview import CONFIG


@pytest.fixture
def harness() -> ImageHarness:
    """An image with three builds, and a builder that speaks of no recipe yet."""
    harness = ImageHarness()
    harness.shelf(1, 2, 3)
    harness.builder()
    return harness


def test_what_nobody_would_build_is_not_asked_for(harness: ImageHarness, tmp_path: Path) -> None:
    """Whoever waited for it would wait for ever; a builder may be slow to read a new file."""
    harness.builder(providers={"ubuntu": ("alpha",)})
    refused = harness.call(build, "debian")

    assert refused.exit_code == 1
    assert "debian is not in the configuration of any builder" in refused.stderr
    assert harness.read_image().wanted is None
    file = tmp_path / "remuda.yaml"
    file.write_text(CONFIG.replace("fresh: {", "debian: {"))
    assert harness.call(build, "debian", "--config", str(file)).exit_code == 0


def test_what_is_captured_is_not_built(harness: ImageHarness, tmp_path: Path) -> None:
    """It has no recipe; the command that makes it is named."""
    file = tmp_path / "remuda.yaml"
    rule = "capture: {labels: [small], requestors: [ci]}"
    file.write_text(CONFIG.replace("fresh: {", f"debian: {{flavor: a, {rule}}}\n  fresh: {{"))
    refused = harness.call(build, "debian", "--config", str(file))

    assert refused.exit_code == 1
    assert "remuda image capture NODE --as debian" in refused.stderr
    assert harness.read_image().wanted is None


def test_a_wish_without_any_builder_says_so() -> None:
    """It stays, for the one that comes."""
    harness = ImageHarness()
    harness.image(last_build=3)

    assert harness.call(build, "debian").stdout == (
        "debian: a build above 3 is wanted, but no builder is running\n"
    )


def test_a_limit_without_waiting_is_a_mistake(harness: ImageHarness) -> None:
    """Else it would be taken for the limit of the build."""
    result = harness.call(build, "debian", "--timeout", "5m")

    assert (result.exit_code, harness.read_image().wanted) == (2, None)
    assert "it needs --wait" in result.stderr


def test_who_waits_without_any_builder_hears_it_once_and_in_the_end() -> None:
    """Nothing else would ever be said."""
    harness = ImageHarness()
    harness.image(last_build=3)
    result = harness.call(build, "debian", "--wait", "--timeout", "0.2s")

    assert result.exit_code == 5
    assert result.stdout == "debian: a build above 3 is wanted, but no builder is running\n"
    assert result.stderr == "remuda: debian did not become current in time: no builder is running\n"


def test_who_waits_for_builders_with_an_older_file_hears_it(
    harness: ImageHarness, tmp_path: Path
) -> None:
    """They have not read the new one yet."""
    harness.builder(providers={"ubuntu": ("alpha",)})
    file = tmp_path / "remuda.yaml"
    file.write_text(CONFIG.replace("fresh: {", "debian: {"))
    words = ["--wait", "--timeout", "0.2s", "--config", str(file)]
    result = harness.call(build, "debian", *words)

    why = "no builder has it in its configuration"
    assert result.exit_code == 5
    assert f"debian waits: {why}" in result.stdout.splitlines()
    assert result.stderr == f"remuda: debian did not become current in time: {why}\n"
