"""The reference, and the examples it shows."""

import shutil
from pathlib import Path

import pytest

from remuda.config.loader import read
from remuda.config.model import Config
from remuda.config.reference import reference
from remuda.config.reference_text import NODEPOOL, NOTHING
from remuda.config.schema import models
from remuda.config.shape import shapes

ROOT = Path(__file__).parents[3]


def test_the_reference_is_up_to_date() -> None:
    """Run: python -m remuda.config.reference > docs/configuration.md ."""
    assert (ROOT / "docs" / "configuration.md").read_text() == reference()


def test_every_key_is_in_the_reference_with_its_meaning() -> None:
    """No section is forgotten."""
    text = reference()
    for model in models(Config):
        for shape in shapes(model).values():
            assert f"| `{shape.key}` | " in text
            assert shape.description in text


def test_links_lead_to_a_title() -> None:
    """Anchors are made as GitHub makes them."""
    text = reference()
    titles = {
        "".join(c for c in line.lstrip("# ").lower() if c.isalnum() or c in "-_")
        for line in text.splitlines()
        if line.startswith("### ")
    }
    links = {part.split(")")[0] for part in text.split("](#")[1:]}

    assert links <= titles


def test_the_table_for_nodepool_names_only_keys_that_exist() -> None:
    """Of ours; a renamed key must be renamed there as well."""
    known = {shape.key for model in models(Config) for shape in shapes(model).values()}
    for theirs, ours, _ in NODEPOOL:
        if ours in (NOTHING, "${NAME}") or ours.startswith("the "):
            continue
        for each in ours.replace(" of a pool", "").split(", "):
            last = each.split(":")[0].split(".")[-1]
            assert last in known, (theirs, ours)


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    """The examples, with stand-ins for the files that a site provides."""
    folder = tmp_path / "examples"
    shutil.copytree(ROOT / "docs" / "examples", folder)
    for name in ("tls/client.pem", "tls/client.key", "tls/ca.pem", "keys/north", "keys/south"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch(mode=0o600)
    (folder / "node-key").touch(mode=0o600)
    (folder / "zookeeper-auth").touch(mode=0o600)
    (folder / "zookeeper-auth").write_text("remuda:corral gate\n")
    (folder / "clouds.yaml").touch(mode=0o600)
    clouds = "{north: {region_name: RegionOne}, south: , sandbox: , cloud-a: , cloud-b: }"
    (folder / "clouds.yaml").write_text(f"clouds: {clouds}\n")
    return folder


@pytest.mark.parametrize("name", ["first-config.yaml", "full.yaml", "images.yaml"])
def test_the_examples_are_good(
    examples: Path, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without problems or warnings."""
    monkeypatch.chdir(tmp_path)

    reading = read(examples / name, environ={"STATSD_HOST": "statsd.example.org"})

    assert reading.problems == ()
    assert reading.warnings == ()


def test_the_full_example_uses_most_keys() -> None:
    """It would not be full otherwise; images have an example of their own."""
    folder = ROOT / "docs" / "examples"
    text = (folder / "full.yaml").read_text() + (folder / "images.yaml").read_text()
    known = {shape.key for model in models(Config) for shape in shapes(model).values()}

    assert sum(f"{key}:" in text for key in known) > len(known) * 0.6
