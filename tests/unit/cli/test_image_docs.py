"""What docs/images.md and the pages below docs/images/ show: good configurations, steps in shell.

Its commands: test_manual.py.
"""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from click.testing import CliRunner

from remuda.cli.main import main
from requestor.nodes import LeasedNode
from tests.support.sshd import make_key

ROOT: Final = Path(__file__).parents[3]
#: That one's keys are made by its own blocks: test_image_provenance_docs.py.
SIGNING: Final = "provenance.md"
PAGES: Final = (
    ROOT / "docs/images.md",
    *(one for one in sorted((ROOT / "docs/images").glob("*.md")) if one.name != SIGNING),
)
TEXT: Final = "\n".join(page.read_text() for page in PAGES)
CAPTURE: Final = (ROOT / "docs/images/capture.md").read_text()


def blocks(kind: str, text: str = TEXT) -> list[str]:
    """Return the fenced blocks of a kind."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def merged(one: Any, other: Any) -> Any:
    """Return a document with what another says besides, or instead."""
    if not isinstance(one, Mapping) or not isinstance(other, Mapping):
        return other
    return {key: merged(one.get(key, {}), other.get(key, one.get(key))) for key in {**one, **other}}


def test_there_is_something_to_look_at() -> None:
    """A page that was written anew must not make the tests empty."""
    assert len(blocks("yaml")) >= 2


@pytest.fixture(params=range(1, len(blocks("yaml")) + 1))
def config(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """What the page has configured so far as one file, with stand-ins for the files of a site."""
    return written(tmp_path, blocks("yaml")[: request.param])


def written(folder: Path, texts: list[str]) -> Path:
    """Write a configuration that says all of *texts*."""
    make_key(folder / "id_ed25519")
    doc: Any = {
        "zookeeper": {"hosts": ["zk1.example.org:2181"]},
        "clouds-file": str(folder / "clouds.yaml"),
    }
    for text in texts:
        doc = merged(doc, yaml.safe_load(text.replace("/etc/remuda/", f"{folder}/")))
    (folder / "deploy-key").touch(mode=0o600)
    (folder / "clouds.yaml").touch(mode=0o600)
    (folder / "clouds.yaml").write_text("clouds: {north: {region_name: RegionOne}}\n")
    file = folder / "remuda.yaml"
    file.write_text(yaml.safe_dump(doc))
    return file


def test_the_configuration_is_good(config: Path) -> None:
    """As `remuda config check` finds it: without a problem."""
    result = CliRunner().invoke(main, ["config", "check", str(config)])

    assert result.exit_code == 0, result.output


def test_the_steps_are_shell(config: Path) -> None:
    """A machine's shell can read each of them."""
    image = yaml.safe_load(config.read_text())["images"]["tools"]
    scripts = [one["script"]["inline"] for one in image["checks-before"]]
    scripts += [one["command"] for one in image["steps"] if "command" in one]

    assert len(scripts) >= 2
    for text in scripts:
        assert subprocess.run(["sh", "-n", "-c", text], check=False).returncode == 0, text


def test_what_is_shown_of_captures_is_good(tmp_path: Path) -> None:
    """Without a warning about what is shown: labels, rules, and who boots it."""
    (text,) = blocks("yaml", CAPTURE)
    result = CliRunner().invoke(main, ["config", "check", str(written(tmp_path, [text]))])

    assert result.exit_code == 0, result.output
    assert "images.oneiric" not in result.output
    (python,) = blocks("python", CAPTURE)
    compile(python, "capture.md", "exec")
    assert callable(LeasedNode.capture)
