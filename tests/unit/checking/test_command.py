"""The command line of ``remuda cloud check``: mistakes of the user."""

import tomllib
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from launcher.checking.command import cloud
from tests.support.processes import ROOT
from tests.unit.checking.conftest import Bench


def called(*words: str, env: dict[str, str] | None = None) -> Result:
    """Call the command without what the environment says."""
    clean = {"REMUDA_CONFIG": "", "OS_CLIENT_CONFIG_FILE": "/nowhere.yaml", **(env or {})}
    return CliRunner().invoke(cloud, ["check", *words], env=clean)


@pytest.fixture
def config(bench: Bench) -> Path:
    """A configuration file."""
    bench.means()
    return bench.folder / "remuda.yaml"


def test_an_unknown_provider_is_a_mistake(config: Path) -> None:
    """With a guess."""
    result = called("eats", "--config", str(config))

    assert result.exit_code == 2
    assert "did you mean east?" in result.output


def test_the_configuration_must_be_named() -> None:
    """An option or the environment."""
    result = called("east")

    assert result.exit_code == 2
    assert "REMUDA_CONFIG" in result.output


def test_a_bad_configuration_shows_all_its_problems(config: Path) -> None:
    """Not only the first."""
    doc = yaml.safe_load(config.read_text())
    doc["providers"]["east"]["prio"] = 1
    doc["labels"]["small"]["min"] = 1
    config.write_text(yaml.safe_dump(doc))

    result = called("east", env={"REMUDA_CONFIG": str(config)})

    assert result.exit_code == 2
    assert "providers.east.prio" in result.output
    assert "labels.small.min" in result.output


def test_a_cloud_that_clouds_yaml_does_not_know_is_a_mistake(config: Path) -> None:
    """It names the cloud; nothing was asked."""
    result = called("east", "--config", str(config))

    assert result.exit_code == 2
    assert "osic" in result.output
    assert "Traceback" not in result.output


def test_it_is_registered_as_a_part_of_remuda() -> None:
    """The core finds it by name and does not import it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())

    place = project["project"]["entry-points"]["remuda.commands"]["cloud"]

    assert place == "launcher.checking.command:cloud"
