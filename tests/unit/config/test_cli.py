"""``remuda config``."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from remuda.cli.config import config


@pytest.fixture
def file(tmp_path: Path, good: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A good configuration in the working folder."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "config.yaml"
    path.write_text(good)
    return path


def test_a_good_file(file: Path) -> None:
    """One line, exit code 0."""
    result = CliRunner().invoke(config, ["check", file.name])

    assert (result.exit_code, result.output) == (0, "config.yaml: good (1 label, 1 provider)\n")


def test_images_are_counted_where_there_are_any(file: Path) -> None:
    """Who forgot to save them sees it."""
    recipe = "{base: b, flavor: c, steps: [{command: x, timeout: 1m}]}"
    file.write_text(f"{file.read_text()}\nimages:\n  a: {recipe}\n")
    result = CliRunner().invoke(config, ["check", file.name])

    assert result.stdout == "config.yaml: good (1 label, 1 provider, 1 image)\n", result.output


def test_warnings_do_not_spoil_a_good_file(file: Path) -> None:
    """They go to stderr."""
    file.write_text(file.read_text().replace("max-servers: 10", "max-servers: 0"))

    result = CliRunner().invoke(config, ["check", file.name])

    assert result.exit_code == 0
    assert result.stdout == "config.yaml: good (1 label, 1 provider)\n"
    assert result.stderr == (
        "warning: config.yaml:2:3: labels.small: all pools that serve this label are closed\n"
    )


def test_strictly_warnings_count(file: Path) -> None:
    """For whoever rolls files out; a file without them is as good as ever."""
    assert CliRunner().invoke(config, ["check", "--strict", file.name]).exit_code == 0

    file.write_text(f"web: {{listen: '::'}}\n{file.read_text()}")
    result = CliRunner().invoke(config, ["check", "--strict", file.name])

    assert result.exit_code == 2
    assert "web.listen: is every address of this host" in result.stderr


def test_a_bad_file(file: Path) -> None:
    """Each problem on a line of stderr, exit code 2."""
    file.write_text(file.read_text().replace("          small:", "          smal:"))

    result = CliRunner().invoke(config, ["check", file.name])

    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.rstrip() == (
        "config.yaml:11:11: providers.osic.pools.main.labels.smal: no such label; "
        "did you mean 'small'?"
    )


def test_json_of_a_good_file(file: Path) -> None:
    """For programs."""
    result = CliRunner().invoke(config, ["check", "--json", file.name])

    assert result.exit_code == 0
    assert json.loads(result.stdout) == {"ok": True, "problems": [], "warnings": []}


def test_json_of_a_bad_file(file: Path) -> None:
    """Every field has its name; the exit code is the same."""
    file.write_text(file.read_text().replace("min-ready: 1", "min-ready: -1"))

    result = CliRunner().invoke(config, ["check", "--json", file.name])

    assert result.exit_code == 2
    assert json.loads(result.stdout) == {
        "ok": False,
        "problems": [
            {
                "file": "config.yaml",
                "line": 3,
                "column": 16,
                "path": "labels.small.min-ready",
                "message": "-1 is out of range",
                "hint": "must be at least 0",
            }
        ],
        "warnings": [],
    }


def test_a_missing_file(file: Path) -> None:
    """The same form as all other problems."""
    result = CliRunner().invoke(config, ["check", file.with_name("no.yaml").name])

    assert (result.exit_code, result.stderr) == (2, "no.yaml:1:1: this file does not exist\n")


def test_the_keys_of_other_providers(file: Path) -> None:
    """--provider makes their absence a warning."""
    text = file.read_text()
    other = text[text.index("  osic:") :].replace("osic", "other")
    file.write_text(text.replace("cloud: osic", "cloud: osic\n    ssh-key-file: key") + other)

    assert CliRunner().invoke(config, ["check", file.name]).exit_code == 2
    assert CliRunner().invoke(config, ["check", file.name, "--provider", "other"]).exit_code == 0


def test_the_schema_is_json() -> None:
    """Ready for an editor."""
    result = CliRunner().invoke(config, ["schema"])

    assert result.exit_code == 0
    assert "labels" in json.loads(result.stdout)["properties"]


def test_a_provider_that_is_not_there(file: Path) -> None:
    """Nothing is good for it."""
    result = CliRunner().invoke(config, ["check", "--provider", "osik", file.name])

    assert result.exit_code == 2
    assert "there is no provider 'osik' in config.yaml; did you mean 'osic'?" in result.stderr
