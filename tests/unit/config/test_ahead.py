"""Images before there is a builder: refused in one sentence everywhere, and shown nowhere."""

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from click.testing import CliRunner

from remuda.cli.config import config
from remuda.config import ahead
from remuda.config.ahead import ConfigWithImages
from remuda.config.document import parse
from remuda.config.loader import Reading
from remuda.config.model import Config
from remuda.config.reference import reference
from remuda.config.schema import models, schema
from remuda.config.shape import shapes
from tests.support import source as code

IMAGES: Final = """\
images:
  noble:
    base: ubuntu-noble
    flavor: m1
    keep: 1
    steps: [{command: "a ${GONE}", timeout: 1m}]
    environment: {A: "${GONE}"}
"""
SENTENCE: Final = (
    "this version has no builder yet, so that it cannot make images; "
    "name images that the cloud has, and take away images:, image-defaults: and built:"
)


def test_images_are_refused_in_one_sentence(says: Callable[..., list[str]], good: str) -> None:
    """Whatever else is wrong with them is nobody's business yet; what else is wrong is told."""
    assert says(good + IMAGES) == [f"14:1: images: {SENTENCE}"]
    assert says(good + "image-defaults: {keep: 3}\n" + IMAGES) == [f"15:1: images: {SENTENCE}"]
    assert says(good + "image-defaults:\n") == [f"14:1: image-defaults: {SENTENCE}"]
    assert says(good.replace("min-ready: 1", "min-ready: -1") + IMAGES) == [
        "3:16: labels.small.min-ready: -1 is out of range; must be at least 0",
        f"14:1: images: {SENTENCE}",
    ]


@pytest.mark.parametrize("built", ["{built: noble}", "{built: }", "{built: [a], name: b}"])
def test_a_label_with_an_image_of_ours_is_refused(
    says: Callable[..., list[str]], good: str, built: str
) -> None:
    """Once, however many name one."""
    path = "providers.osic.pools.main.labels.small.image"
    text = good.replace("image: ubuntu", f"image: {built}")
    other = text + f"      other: {{labels: {{small: {{image: {built}, flavor: a}}}}}}\n"

    assert says(text) == [f"12:13: {path}: {SENTENCE}"]
    assert says(other) == [f"12:13: {path}: {SENTENCE}"]
    assert says(other + IMAGES) == [f"15:1: images: {SENTENCE}"]


def test_every_command_reads_by_the_same_rule(good: str, tmp_path: Path) -> None:
    """`config check` says it, with exit code 2; nobody but tests reads with another model."""
    file = tmp_path / "config.yaml"
    file.write_text(good + IMAGES)
    result = CliRunner().invoke(config, ["check", str(file)])

    assert result.exit_code == 2
    assert result.output == f"{file}:14:1: images: {SENTENCE}\n"
    found = [
        one.at(node, "reads images, which nobody makes yet")
        for one in code.product()
        if "ahead" in one.text
        and one.path not in ("remuda/config/ahead.py", "remuda/config/loader.py")
        for node, name in code.imports(one)
        if name.startswith("remuda.config.ahead")
    ]
    handed_on = [
        one.at(node, "chooses a model")
        for one in code.product()
        if "model=" in one.text or "top=" in one.text
        for node in ast.walk(one.tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).rpartition(".")[2] in ("read", "load", "reference", "schema")
        and any(keyword.arg in ("model", "top") for keyword in node.keywords)
    ]
    code.nothing(found + handed_on)


def test_neither_reference_nor_schema_shows_what_nobody_can_use() -> None:
    """Nor a hint at known keys."""
    hidden = {"images", "image-defaults", "built", "rollout-window", "copy-from"}
    known = {shape.key for model in models(Config) for shape in shapes(model).values()}

    assert not hidden & known
    assert "image-defaults" not in reference()
    assert "image-defaults" not in str(schema())


def test_behind_the_switch_reference_and_schema_show_all() -> None:
    """So that they are there the day that the builder is."""
    text = reference(ConfigWithImages)
    made = schema(ConfigWithImages)
    for model in models(ConfigWithImages):
        target = made if model is ConfigWithImages else made["$defs"][model.__name__]
        assert list(target["properties"]) == list(shapes(model))
        for key, shape in shapes(model).items():
            assert f"| `{key}` | " in text
            assert shape.description in text
            assert target["properties"][key]["description"], key
            assert "_" not in key
    titles = {
        "".join(c for c in line.lstrip("# ").lower() if c.isalnum() or c in "-_")
        for line in text.splitlines()
        if line.startswith("### ")
    }
    assert {part.split(")")[0] for part in text.split("](#")[1:]} <= titles


def test_what_the_loader_refuses_the_schema_refuses(good: str) -> None:
    """Behind the switch, as far as a schema can."""
    jsonschema = pytest.importorskip("jsonschema")
    made = schema(ConfigWithImages)
    jsonschema.Draft202012Validator.check_schema(made)
    check = jsonschema.Draft202012Validator(made)
    text = good.replace("image: ubuntu", "image: {built: noble}") + IMAGES.replace("p: 1", "p: 2")

    assert list(check.iter_errors(parse(text).data)) == []
    for old, new in [
        ("keep: 2", "keep: 1"),
        (", timeout: 1m", ""),
        ("command:", "comand:"),
        ('command: "a ${GONE}"', "as-root: true"),
        ("base: ubuntu-noble", "base: {image: a, name: b}"),
        ("built: noble", "built: noble, name: b"),
        ("keep: 2", "schedule: {}"),
        ("keep: 2", "secrets: {A: value}"),
        ("keep: 2", "rollout-window: {opens: 0 2 * * *}"),
    ]:
        changed = text.replace(old, new)
        assert changed != text
        assert list(check.iter_errors(parse(changed).data)), new


def test_the_switch_changes_nothing_for_files_without_images(
    reads: Callable[..., Reading], good: str
) -> None:
    """Values of both kinds are the same, but for the new keys."""
    plain, with_images = reads(good).config, reads(good, model=ConfigWithImages).config
    assert plain is not None
    assert with_images is not None
    more = with_images.model_dump()

    assert plain.model_dump().keys() == more.keys() - {"images", "image_defaults"}
    image = more["providers"]["osic"]["pools"]["main"]["labels"]["small"]["image"]
    assert image.pop("built") is None
    assert plain.model_dump()["providers"] == more["providers"]


def test_the_models_behind_the_switch_say_what_those_before_it_say() -> None:
    """The builder's arrival moves keys, and should find nothing else to move."""
    for wider in (ahead.OwnImageFrom, ahead.OwnPoolLabel, ahead.OwnPool, ahead.OwnProvider):
        (narrower,) = wider.__bases__
        before, after = shapes(narrower), shapes(wider)
        assert [key for key in after if key in before] == list(before)
        for key, shape in before.items():
            assert (shape.description, shape.default, shape.required) == (
                after[key].description,
                after[key].default,
                after[key].required,
            )
