"""YAML as values that know their places."""

import pytest

from remuda.config.document import DEPTH_MAX, NotYamlError, Place, parse, plain


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("true", True),
        ("False", False),
        ("no", "no"),
        ("on", "on"),
        ("12", 12),
        ("-3", -3),
        ("010", "010"),
        ("0", 0),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        (".nan", ".nan"),
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("0x1f", "0x1f"),
        ("2024-02-30", "2024-02-30"),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_plain_scalars_mean_what_they_look_like(text: str, value: object) -> None:
    """YAML 1.2, not 1.1: names and versions stay text."""
    assert value == plain(text)
    assert type(value) is type(plain(text))


def test_every_value_and_key_knows_its_place() -> None:
    """Lines and columns count from 1."""
    document = parse("a:\n  - b: 1\n    c: [x, y]\n")

    assert document.data == {"a": [{"b": 1, "c": ["x", "y"]}]}
    assert Place(1, 1) == document.place(("a",), at_key=True)
    assert Place(2, 8) == document.place(("a", 0, "b"))
    assert Place(2, 5) == document.place(("a", 0, "b"), at_key=True)
    assert Place(3, 12) == document.place(("a", 0, "c", 1))


def test_what_is_missing_lies_at_the_key_of_the_section_it_is_missing_from() -> None:
    """Better than the first line of the section's content."""
    document = parse("a:\n  b:\n    c: 1\n")

    assert Place(2, 3) == document.place(("a", "b", "missing"))
    assert Place(2, 3) == document.place(("a", "b", "missing", "deeper"))


def test_keys_are_text_whatever_they_look_like() -> None:
    """A label may be called 12, no or null."""
    assert parse("{12: a, no: b, null: c, true: d, 1.10: e}").data == {
        "12": "a",
        "no": "b",
        "null": "c",
        "true": "d",
        "1.10": "e",
    }


def test_quoted_scalars_stay_text() -> None:
    """Also in block form."""
    assert parse("a: \"1\"\nb: 'true'\nc: |\n  2\n").data == {"a": "1", "b": "true", "c": "2\n"}


def test_a_key_written_twice_is_a_flaw_and_the_first_one_counts() -> None:
    """Both places are named."""
    document = parse("a: 1\nb: 2\na: 3\n")

    assert document.data == {"a": 1, "b": 2}
    (flaw,) = document.flaws
    assert flaw.place == Place(3, 1)
    assert flaw.message == "is written twice, first at line 1, column 1"


def test_merged_mappings_fill_in_what_is_not_written() -> None:
    """Nearest first: own keys, then each merged mapping in order, then what those merge."""
    document = parse(
        "base: &base {x: 1, y: 1, z: 1}\n"
        "mid: &mid {<<: *base, y: 2}\n"
        "other: &other {x: 9, w: 9}\n"
        "top: {<<: [*mid, *other], z: 3}\n"
    )

    assert document.data["top"] == {"z": 3, "y": 2, "x": 1, "w": 9}  # type: ignore[index]
    assert Place(1, 17) == document.place(("top", "x"))
    assert not document.flaws


def test_merging_something_else_is_a_flaw() -> None:
    """Neither text nor a list of texts can be merged."""
    assert [flaw.message for flaw in parse("a: {<<: x}\nb: {<<: [y]}\n").flaws] == [
        "has a << of no mapping",
        "has a << of no mapping",
    ]


@pytest.mark.parametrize("text", ["a: !foo b", "a: !!python/name:os.system x", "a: !!set {x}"])
def test_tags_are_flaws(text: str) -> None:
    """Nothing in the file can name a class."""
    assert "has the tag" in parse(text).flaws[0].message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (r'[a, "b\0c"]', "has a NUL in it"),
        (r'[a, "b\ud83d\ude00"]', "has half of a character in it"),
        (r'[a, "b\udcff"]', "has half of a character in it"),
        (r'[a, {"b\0": 1}]', "has a NUL in it"),
    ],
)
def test_what_no_text_holds_is_a_flaw(text: str, message: str) -> None:
    """No program could be given it, and no record could be written with it."""
    (flaw,) = parse(text).flaws
    assert (flaw.path[0], flaw.place.line, flaw.message) == (1, 1, message)


def test_keys_that_are_no_text_are_flaws() -> None:
    """A list as a key is legal YAML."""
    document = parse("? [a, b]\n: 1\nc: 2\n")

    assert document.data == {"c": 2}
    assert document.flaws[0].hint == "keys are plain text"


@pytest.mark.parametrize(
    ("text", "message", "place"),
    [
        ("a: [1, 2\nb: 3\n", "is not YAML", Place(2, 2)),
        ("a:\n\tb: 1\n", "is not YAML", Place(2, 1)),
        ("a: *nowhere\n", "undefined alias", Place(1, 4)),
        ("a: 1\n---\nb: 2\n", "expected a single document", Place(2, 1)),
        ("a: b: c\n", "mapping values are not allowed", Place(1, 5)),
        ("a: \x07\n", "a character that YAML does not allow", Place(1, 4)),
        ("&a [*a]", "contains itself through an alias", Place(1, 1)),
        ("&a {b: {c: *a}}", "contains itself through an alias", Place(1, 1)),
        ("&a {<<: *a}", "contains itself through an alias", Place(1, 1)),
    ],
)
def test_what_is_no_yaml_is_refused_with_its_place(text: str, message: str, place: Place) -> None:
    """The reader knows where to look."""
    with pytest.raises(NotYamlError, match=message) as caught:
        parse(text)

    assert caught.value.place == place


@pytest.mark.parametrize("text", ["[" * 5000, "{a: " * 5000, "- " * 5000, "[" * (DEPTH_MAX + 1)])
def test_deep_nesting_is_refused_without_recursion_errors(text: str) -> None:
    """However deep it is."""
    with pytest.raises(NotYamlError, match="nested more than"):
        parse(text)


@pytest.mark.parametrize("form", ["[{0}, {0}]", "{{<<: [{0}, {0}], k: 1}}"])
def test_aliases_cannot_blow_up_a_small_file(form: str) -> None:
    """Thirty doublings would be a thousand million values."""
    lines = ["a0: &a0 {x: 1}"]
    lines += [f"a{n}: &a{n} " + form.format(f"*a{n - 1}") for n in range(1, 31)]
    with pytest.raises(NotYamlError, match="has more than"):
        parse("\n".join(lines))
