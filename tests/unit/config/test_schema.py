"""The JSON Schema against the examples, the loader and itself."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from remuda.config.document import parse
from remuda.config.model import Config
from remuda.config.schema import models, schema
from remuda.config.shape import shapes

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"
TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "null": (type(None),),
    "integer": (int,),
    "number": (int, float),
}


class Checker:
    """The part of JSON Schema that ours uses; an unknown keyword fails the test."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self.root = root

    def errors(self, value: object, rule: Mapping[str, Any]) -> Iterator[str]:
        """Yield what is wrong with *value*."""
        for keyword, argument in rule.items():
            yield from getattr(self, "_" + keyword.strip("$"))(value, argument, rule)

    def good(self, value: object, rule: Mapping[str, Any]) -> bool:
        """Whether nothing is wrong."""
        return not list(self.errors(value, rule))

    def _nothing(self, *_: object) -> Iterator[str]:
        yield from ()

    _schema = _defs = _title = _description = _default = _nothing

    def _ref(self, value: object, name: str, _: object) -> Iterator[str]:
        yield from self.errors(value, self.root["$defs"][name.removeprefix("#/$defs/")])

    def _type(self, value: object, names: str | list[str], _: object) -> Iterator[str]:
        allowed = [t for n in ([names] if isinstance(names, str) else names) for t in TYPES[n]]
        if type(value) not in allowed:
            yield f"{value!r} is not {names}"

    def _enum(self, value: object, words: list[str], _: object) -> Iterator[str]:
        if value not in words:
            yield f"{value!r} is not in {words}"

    def _pattern(self, value: object, pattern: str, _: object) -> Iterator[str]:
        if isinstance(value, str) and not re.search(pattern, value):
            yield f"{value!r} does not match {pattern}"

    def _limit(self, *, wrong: bool) -> Iterator[str]:
        if wrong:
            yield "out of range"

    def _minimum(self, value: object, limit: float, _: object) -> Iterator[str]:
        return self._limit(wrong=isinstance(value, int | float) and value < limit)

    def _maximum(self, value: object, limit: float, _: object) -> Iterator[str]:
        return self._limit(wrong=isinstance(value, int | float) and value > limit)

    def _exclusiveMinimum(self, value: object, limit: float, _: object) -> Iterator[str]:  # noqa: N802
        return self._limit(wrong=isinstance(value, int | float) and value <= limit)

    def _minItems(self, value: object, limit: int, _: object) -> Iterator[str]:  # noqa: N802
        return self._limit(wrong=isinstance(value, list) and len(value) < limit)

    def _minProperties(self, value: object, limit: int, _: object) -> Iterator[str]:  # noqa: N802
        return self._limit(wrong=isinstance(value, dict) and len(value) < limit)

    def _minLength(self, value: object, limit: int, _: object) -> Iterator[str]:  # noqa: N802
        return self._limit(wrong=isinstance(value, str) and len(value) < limit)

    def _maxLength(self, value: object, limit: int, _: object) -> Iterator[str]:  # noqa: N802
        return self._limit(wrong=isinstance(value, str) and len(value) > limit)

    def _items(self, value: object, rule: Mapping[str, Any], _: object) -> Iterator[str]:
        for item in value if isinstance(value, list) else ():
            yield from self.errors(item, rule)

    def _required(self, value: object, keys: list[str], _: object) -> Iterator[str]:
        for key in keys if isinstance(value, dict) else ():
            if key not in value:  # type: ignore[operator]
                yield f"{key} is missing"

    def _properties(self, value: object, rules: Mapping[str, Any], _: object) -> Iterator[str]:
        for key, item in value.items() if isinstance(value, dict) else ():
            if key in rules:
                yield from self.errors(item, rules[key])

    def _patternProperties(  # noqa: N802
        self, value: object, rules: Mapping[str, Any], _: object
    ) -> Iterator[str]:
        for key, item in value.items() if isinstance(value, dict) else ():
            for pattern, rule in rules.items():
                if re.search(pattern, key):
                    yield from self.errors(item, rule)

    def _additionalProperties(  # noqa: N802
        self, value: object, rule: object, beside: Mapping[str, Any]
    ) -> Iterator[str]:
        for key, item in value.items() if isinstance(value, dict) else ():
            known = key in beside.get("properties", ())
            if known or any(re.search(p, key) for p in beside.get("patternProperties", ())):
                continue
            if rule is False:
                yield f"{key} is unknown"
            elif isinstance(rule, dict):
                yield from self.errors(item, rule)

    def _anyOf(self, value: object, rules: list[Any], _: object) -> Iterator[str]:  # noqa: N802
        if not any(self.good(value, rule) for rule in rules):
            yield f"{value!r} is none of the kinds"

    def _oneOf(self, value: object, rules: list[Any], _: object) -> Iterator[str]:  # noqa: N802
        if sum(self.good(value, rule) for rule in rules) != 1:
            yield f"{value!r} is not exactly one of the kinds"

    def _allOf(self, value: object, rules: list[Any], _: object) -> Iterator[str]:  # noqa: N802
        for rule in rules:
            yield from self.errors(value, rule)

    def _not(self, value: object, rule: Any, _: object) -> Iterator[str]:
        if self.good(value, rule):
            yield f"{value!r} is what it must not be"


def _errors(text: str) -> list[str]:
    made = schema()
    return list(Checker(made).errors(parse(text).data, made))


@pytest.mark.parametrize("name", ["first-config.yaml", "full.yaml"])
def test_the_examples_are_valid(name: str) -> None:
    """By the part of JSON Schema written above."""
    assert _errors((EXAMPLES / name).read_text()) == []


@pytest.mark.parametrize("name", ["first-config.yaml", "full.yaml"])
def test_the_examples_are_valid_for_the_real_thing(name: str) -> None:
    """By the package jsonschema, where it is installed."""
    jsonschema = pytest.importorskip("jsonschema")
    made = schema()

    jsonschema.Draft202012Validator.check_schema(made)
    jsonschema.Draft202012Validator(made).validate(parse((EXAMPLES / name).read_text()).data)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("min-ready: 1", "min_ready: 1"),
        ("min-ready: 1", "min-ready: true"),
        ("min-ready: 1", "min-ready: -1"),
        ("min-ready: 1", "max-ready-age: 8x"),
        ("min-ready: 1", "max-ready-age: 0"),
        ("min-ready: 1", "checks: [{}]"),
        ("min-ready: 1", "checks: [{disk: {}, clock: {}}]"),
        ("min-ready: 1", "checks: [{disk: {free: 2GB}}]"),
        ("min-ready: 1", "setup: {file: a, inline: b}"),
        ("  small:\n    min", "  so small:\n    min"),
        ("cloud: osic", "region: a"),
        ("cloud: osic", "cloud: osic\n    rate: 0"),
        ("image: ubuntu", "image: {}"),
        ("image: ubuntu", "image: {id: a, name: b}"),
        ("image: ubuntu", "image: {id: a, properties: {a: b}}"),
        ("image: ubuntu", "image: 3"),
        ("m1.small", "{}"),
        ("m1.small", "a\n            user-data: a\n            user-data-file: b"),
        ("m1.small", "a\n            connection-type: shh"),
        ("m1.small", "a\n            boot-from-volume: {size: 1}"),
        ("labels:\n  small", "zookeeper: {hosts: [a]}\nlabels:\n  small"),
        ("labels:\n  small", "zookeeper: {chroot: a/b}\nlabels:\n  small"),
    ],
)
def test_what_the_loader_refuses_the_schema_refuses(good: str, old: str, new: str) -> None:
    """As far as a schema can."""
    assert _errors(good) == []
    assert _errors(good.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  small:\n    min-ready: 1", "  small:"),
        ("min-ready: 1", "recheck: null"),
        ("min-ready: 1", "recheck: 90"),
        ("min-ready: 1", "recheck: 1.5h"),
        ("m1.small", "{ram: 512}"),
        ("m1.small", "a\n            boot-from-volume: true"),
        ("m1.small", "a\n            boot-from-volume:"),
        ("labels:\n  small", "x-any: [thing]\nweb:\nlabels:\n  small"),
    ],
)
def test_what_the_loader_takes_the_schema_takes(good: str, old: str, new: str) -> None:
    """Short forms included."""
    assert _errors(good.replace(old, new, 1)) == []


def test_every_key_is_described_and_nothing_has_the_words_of_programmers() -> None:
    """Editors show the descriptions."""
    made = schema()
    assert made["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    for model in models(Config):
        target = made if model is Config else made["$defs"][model.__name__]
        assert list(target["properties"]) == list(shapes(model))
        for key, entry in target["properties"].items():
            assert entry["description"], key
            assert "_" not in key
            assert "title" not in entry


def test_defaults_are_shown_as_one_would_write_them() -> None:
    """With units."""
    made = schema()["$defs"]

    assert made["Provider"]["properties"]["launch-timeout"]["default"] == "15m"
    assert made["Volume"]["properties"]["size"]["default"] == "50GiB"
    assert made["Zookeeper"]["properties"]["hosts"]["default"] == ["127.0.0.1:2181"]
