"""What docs/images/provenance.md shows: its configuration is good, its examples are right.

Its commands: tests/e2e/test_manual.py.
"""

import re
import subprocess
from pathlib import Path
from typing import Final

import pytest
import yaml
from click.testing import CliRunner

from remuda.cli.main import main
from remuda.images.sbom import purl
from tests.support.source import ROOT
from tests.support.sshd import make_key

TEXT: Final = (ROOT / "docs/images/provenance.md").read_text()


def blocks(kind: str) -> list[str]:
    """Return the fenced blocks of a kind."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """What the page configures, beside the first configuration of docs/images.md, with its keys."""
    first = re.search(
        r"^```yaml\n(.*?)^```$", (ROOT / "docs/images.md").read_text(), re.MULTILINE | re.DOTALL
    )
    (signing,) = blocks("yaml")
    assert first is not None
    make_key(tmp_path / "id_ed25519")
    clouds = tmp_path / "clouds.yaml"
    clouds.touch(mode=0o600)
    clouds.write_text("clouds: {north: {region_name: RegionOne}}\n")
    head = f"zookeeper: {{hosts: ['zk1.example.org:2181']}}\nclouds-file: {clouds}\n"
    file = tmp_path / "remuda.yaml"
    file.write_text(head + (first[1] + signing).replace("/etc/remuda/", f"{tmp_path}/"))
    (keys,) = (one for one in blocks("sh") if "genpkey" in one)
    subprocess.run(["sh", "-ec", keys], cwd=tmp_path, check=True, capture_output=True)
    return file


def test_the_configuration_is_good(config: Path) -> None:
    """With keys that were made as the page says it."""
    result = CliRunner().invoke(main, ["config", "check", str(config)])

    assert result.exit_code == 0, result.output
    assert set(yaml.safe_load(config.read_text())["image-signing"]) == {
        "key-file",
        "public-key-file",
    }


def test_a_package_has_the_url_that_is_shown() -> None:
    """As scanners look it up."""
    found = purl(("openssl:amd64", "3.0.15-1~deb12u1"), "deb", "debian", "debian-12")

    assert f"`{found}`" in TEXT
