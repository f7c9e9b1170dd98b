"""Whatever a file holds, the loader answers with a value or with problems."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from remuda.config.loader import Reading, read
from remuda.config.model import Config
from remuda.config.recipes import recipes
from remuda.config.schema import models
from remuda.config.shape import Many, shapes

KEYS = sorted({shape.key for model in models(Config) for shape in shapes(model).values()})
WORDS = ["8h", "2GiB", "8x", "a:1", "${X}", "$${", "ssh", "/", ".", "~", "*", "{", "{label}", "\0"]

#: Two recipes and all that they may share.
IMAGES = """
labels: {small: }
providers:
  north:
    cloud: north
    pools: {main: {labels: {small: {image: {built: small}, flavor: {disk: 1GiB}}}}}
image-defaults:
  base: noble
  flavor: {disk: 4GiB}
  providers: {north: {pool: main, copy-from: null}}
  steps: [{command: a, timeout: 1m, secrets: [A]}]
  secrets: {A: {environment: B}}
images:
  small:
    base: {image: big}
    steps:
      - {script: {inline: a, environment: {B: c}, arguments: [d]}, timeout: 1m}
      - {copy: {from: config.yaml, to: /a, mode: "0644"}, timeout: 1m}
    schedule: {cron: 0 3 * * *, time-zone: UTC}
    freshness: 2d
  big:
    steps: [{packages: [git], timeout: 1m}]
    rollout-window: {opens: 0 3 * * *, lasts: 1h}
    schedule: {max-age: 1d}
"""

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(WORDS)
    | st.text(max_size=8)
)
names = st.sampled_from(["small", "big", "a b", ""]) | st.sampled_from(KEYS)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)


def shaped(model: Any) -> st.SearchStrategy[Any]:
    """Return sections that are nearly right: known keys, any of whose values may be wrong."""
    optional: dict[str, st.SearchStrategy[Any]] = {}
    for shape in shapes(model).values():
        inner = scalars if shape.section is None else st.deferred(lambda s=shape.section: shaped(s))
        if shape.many is Many.LIST:
            inner = st.lists(inner, max_size=2)
        elif shape.many is Many.NAMED:
            inner = st.dictionaries(st.sampled_from(["small", "big"]), inner, max_size=2)
        optional[shape.key] = inner | anything if shape.section is None else inner | scalars
    required = {key: optional.pop(key) for key in list(optional) if key in ("labels", "providers")}
    return st.fixed_dictionaries(required, optional=optional)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """One folder for all examples: the file is written anew for each."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@pytest.fixture(scope="module")
def full() -> str:
    """The full example: the values of other files that it names are missing here."""
    return (Path(__file__).parents[3] / "docs" / "examples" / "full.yaml").read_text()


def _read(folder: Path, content: bytes) -> Reading:
    path = folder / "config.yaml"
    path.write_bytes(content)
    return read(path, environ={"X": "x", "HOME": str(folder)})


def _is_an_answer(reading: Reading) -> bool:
    if reading.config is not None:
        return not reading.problems
    return all(problem.message and problem.line >= 1 for problem in reading.problems) and bool(
        reading.problems
    )


quick = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@quick
@given(anything)
def test_any_values_get_an_answer(folder: Path, value: object) -> None:
    """Mappings with keys of ours in wrong places above all."""
    text = yaml.safe_dump(value, allow_unicode=True)

    assert _is_an_answer(_read(folder, text.encode(errors="replace")))


@quick
@given(shaped(Config))
def test_nearly_right_values_get_an_answer(folder: Path, value: object) -> None:
    """Known keys with wrong values reach the deepest checks; recipes can be joined then."""
    text = yaml.safe_dump(value, allow_unicode=True).encode(errors="replace")
    reading = _read(folder, text)

    assert _is_an_answer(reading)
    if reading.config is not None:
        config = reading.config
        assert recipes(config.images, config.image_defaults, config.providers).keys() == set(
            config.images
        )


@quick
@given(st.data())
def test_a_good_recipe_with_some_wrong_values_gets_an_answer(
    folder: Path, data: st.DataObject
) -> None:
    """The checks between recipes have something to read."""
    value = yaml.safe_load(IMAGES)
    for _ in range(data.draw(st.integers(1, 3))):
        container, key = data.draw(st.sampled_from(list(_places(value))))
        container[key] = data.draw(anything)
    text = yaml.safe_dump(value).encode(errors="replace")

    assert _is_an_answer(_read(folder, text))


@quick
@given(st.binary(max_size=60) | st.text(alphabet=" \n\t-:[]{}&*!|>'\"%@`#,?<a1~", max_size=60))
def test_any_bytes_get_an_answer(folder: Path, content: bytes | str) -> None:
    """YAML's own characters above all."""
    raw = content if isinstance(content, bytes) else content.encode()

    assert _is_an_answer(_read(folder, raw))


@quick
@given(anything)
def test_reading_twice_gives_the_same_answer(folder: Path, value: object) -> None:
    """Order and digest included."""
    content = yaml.safe_dump(value).encode(errors="replace")

    assert _read(folder, content) == _read(folder, content)


def _places(value: object) -> Iterator[tuple[Any, Any]]:
    """Yield container and key of every value, deep."""
    pairs: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        pairs = list(value.items())
    elif isinstance(value, list):
        pairs = list(enumerate(value))
    for key, item in pairs:
        yield value, key
        yield from _places(item)


@quick
@given(st.data())
def test_a_good_file_with_some_wrong_values_gets_an_answer(
    folder: Path, full: str, data: st.DataObject
) -> None:
    """With all other parts there, the checks between sections have something to read."""
    value = yaml.safe_load(full)
    for _ in range(data.draw(st.integers(1, 3))):
        container, key = data.draw(st.sampled_from(list(_places(value))))
        container[key] = data.draw(anything)
    reading = _read(folder, yaml.safe_dump(value).encode(errors="replace"))

    assert _is_an_answer(reading)
