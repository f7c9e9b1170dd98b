"""A YAML text as plain values that know their places.

PyYAML's node graph gives the places. Scalars are read by the core schema of YAML 1.2, not by
PyYAML's 1.1, where ``no`` is false, ``010`` is eight and ``1:30`` is ninety: in a file of names
and versions these surprise more than they help. Keys are always text.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import yaml

Path = tuple[str | int, ...]
Scalar = None | bool | int | float | str

#: No section of ours is nested half as deep; stops the composer's recursion.
DEPTH_MAX: Final = 40
#: Aliases can make a small file huge; no file of the allowed size has as many values by itself.
VALUES_MAX: Final = 250_000
#: More digits than any number of ours; int() is slow, and refuses thousands.
_DIGITS_MAX: Final = 30

_TAG: Final = "tag:yaml.org,2002:"
_PLAIN_TAGS: Final = frozenset(
    _TAG + name for name in ("null", "bool", "int", "float", "str", "timestamp", "value", "merge")
)
_WORDS: Final[dict[str, Scalar]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INT: Final = re.compile(r"[-+]?[0-9]+")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
#: Where the parser quotes a word: it may be a password that begins with *, & or !.
_QUOTED: Final = re.compile(r"(alias|anchor|handle|tag) (?:'[^'\n]{0,1024}'|\"[^\"\n]{0,1024}\")")
#: What no text of ours holds. Escapes make it: JSON writes some characters in two halves.
NO_TEXT: Final = re.compile(r"[\0\ud800-\udfff]")
_LEADING_ZERO: Final = re.compile(r"[-+]?0[0-9]")


@dataclass(frozen=True, slots=True)
class Place:
    """A position in the text, counted from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Flaw:
    """Something the YAML itself should not say; *path* is where."""

    path: Path
    place: Place
    message: str
    hint: str = ""


class NotYamlError(ValueError):
    """The text is not YAML, or not of a kind we read.

    Attributes:
        place: Where reading stopped.
        hint: What to do about it; may be empty.
    """

    def __init__(self, why: str, place: Place, hint: str = "") -> None:
        super().__init__(why)
        self.place = place
        self.hint = hint


@dataclass(slots=True)
class Document:
    """Plain values (dict with text keys, list, scalars) and the place of each.

    Attributes:
        data: The values; aliases are written out, so no two places share a dict or list.
        flaws: What was left out of ``data``, or stands in it twice.
    """

    data: object = None
    flaws: list[Flaw] = field(default_factory=list)
    key_places: dict[Path, Place] = field(default_factory=dict)
    value_places: dict[Path, Place] = field(default_factory=dict)

    def place(self, path: Path, *, at_key: bool = False) -> Place:
        """Return where *path*, or the nearest thing above it that exists, is written.

        Args:
            path: Keys and list indexes from the top.
            at_key: The key instead of the value, if *path* itself has one.
        """
        if at_key and path in self.key_places:
            return self.key_places[path]
        for end in range(len(path), -1, -1):
            if end < len(path) and path[:end] in self.key_places:
                return self.key_places[
                    path[:end]
                ]  # something is missing: the section's name says more
            if path[:end] in self.value_places:
                return self.value_places[path[:end]]
        return Place(1, 1)


def parse(text: str) -> Document:
    """Read *text*.

    Raises:
        NotYamlError: If it is not YAML, has several documents, or is nested or large beyond reason.
    """
    try:
        node = _Composer(text).get_single_node()
    except yaml.MarkedYAMLError as error:
        raise _translated(error) from None
    except yaml.reader.ReaderError as error:
        place = _place_at(text, error.position)
        raise NotYamlError("has a character that YAML does not allow", place) from None
    builder = _Builder()
    document = builder.document
    document.data = None if node is None else builder.value(node, ())
    return document


class _Composer(yaml.SafeLoader):
    """PyYAML's composer, which calls itself for each level, with a limit on them."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.depth >= DEPTH_MAX:
            place = Place(self.line + 1, self.column + 1)  # a token ahead at most
            raise NotYamlError(f"is nested more than {DEPTH_MAX} levels deep", place)
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


class _Builder:
    """Makes one document from a node graph."""

    def __init__(self) -> None:
        self.document = Document()
        self._open: set[int] = set()  # nodes being built: an alias to one of them is a circle
        self._count = 0

    def value(self, node: yaml.Node, path: Path) -> object:
        place = _place(node.start_mark)
        self.document.value_places[path] = place
        self._tally(node)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        if id(node) in self._open or len(path) >= DEPTH_MAX:
            raise NotYamlError("contains itself through an alias", place)
        self._open.add(id(node))
        made = self._collection(node, path)
        self._open.discard(id(node))
        return made

    def _collection(self, node: yaml.Node, path: Path) -> object:
        if isinstance(node, yaml.MappingNode):
            self._expect_tag(node, path, "map")
            return self._mapping(node, path)
        self._expect_tag(node, path, "seq")
        return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, object]:
        made: dict[str, object] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node, path)
            if key is None:
                continue
            spot = (*path, key)
            if key in made:
                first = self.document.place(spot, at_key=True)
                self._flaw(
                    key_node,
                    spot,
                    f"is written twice, first at line {first.line}, column {first.column}",
                    "keep one of them",
                )
                continue
            self.document.key_places[spot] = _place(key_node.start_mark)
            made[key] = self.value(value_node, spot)
        for key_node, value_node in self._merged(node, path, ()):
            spot = (*path, key_node.value)
            if key_node.value not in made:
                self.document.key_places[spot] = _place(key_node.start_mark)
                made[key_node.value] = self.value(value_node, spot)
        return made

    def _merged(
        self, node: yaml.MappingNode, path: Path, chain: tuple[int, ...]
    ) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
        """Yield the entries that ``<<`` brings in, nearest first; *chain* leads here."""
        for source in self._merge_sources(node, path):
            self._tally(source)
            if id(source) in chain:
                raise NotYamlError("contains itself through an alias", _place(source.start_mark))
            for key_node, value_node in source.value:
                if isinstance(key_node, yaml.ScalarNode) and not _is_merge(key_node):
                    yield key_node, value_node
            yield from self._merged(source, path, (*chain, id(source)))

    def _merge_sources(self, node: yaml.MappingNode, path: Path) -> Iterator[yaml.MappingNode]:
        for key_node, value_node in node.value:
            if not _is_merge(key_node):
                continue
            several = isinstance(value_node, yaml.SequenceNode)
            for source in value_node.value if several else [value_node]:
                if isinstance(source, yaml.MappingNode):
                    yield source
                else:
                    self._flaw(source, path, "has a << of no mapping", "write <<: *anchor")

    def _key(self, node: yaml.Node, path: Path) -> str | None:
        """Return the key as text; None if it is to be skipped."""
        if _is_merge(node):
            return None
        if not isinstance(node, yaml.ScalarNode):
            self._flaw(node, path, "has a key that is a list or mapping", "keys are plain text")
            return None
        self._expect_text(node, path)
        return str(node.value)

    def _scalar(self, node: yaml.ScalarNode, path: Path) -> Scalar:
        text = str(node.value)
        self._expect_text(node, path)
        if node.tag not in _PLAIN_TAGS:
            self._flaw(node, path, f"has the tag {node.tag.replace(_TAG, '!!')!r}", "leave it out")
            return text
        return text if node.style is not None else plain(text)

    def _expect_tag(self, node: yaml.Node, path: Path, name: str) -> None:
        if node.tag != _TAG + name:
            self._flaw(node, path, f"has the tag {node.tag.replace(_TAG, '!!')!r}", "leave it out")

    def _expect_text(self, node: yaml.ScalarNode, path: Path) -> None:
        """Complain of what no program, file or record could be given."""
        found = NO_TEXT.search(str(node.value))
        if found is not None and found[0] == "\0":
            self._flaw(node, path, "has a NUL in it", "leave it out: no text of ours holds one")
        elif found is not None:
            hint = "write the character itself, or \\U and its eight digits"
            self._flaw(node, path, "has half of a character in it", hint)

    def _tally(self, node: yaml.Node) -> None:
        self._count += 1
        if self._count > VALUES_MAX:
            raise NotYamlError(f"has more than {VALUES_MAX} values", _place(node.start_mark))

    def _flaw(self, node: yaml.Node, path: Path, message: str, hint: str) -> None:
        self.document.flaws.append(Flaw(path, _place(node.start_mark), message, hint))


def plain(text: str) -> Scalar:
    """Return what an unquoted scalar means; what is not plainly a number stays text."""
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > _DIGITS_MAX or _LEADING_ZERO.match(text):
        return text
    if _INT.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def _is_merge(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == _TAG + "merge"


def _place(mark: yaml.Mark | None) -> Place:
    return Place(1, 1) if mark is None else Place(mark.line + 1, mark.column + 1)


def _place_at(text: str, position: int) -> Place:
    before = text[:position]
    return Place(before.count("\n") + 1, position - before.rfind("\n"))


def _translated(error: yaml.MarkedYAMLError) -> NotYamlError:
    why = " ".join(part for part in (error.context, error.problem) if part)
    place = _place(error.problem_mark or error.context_mark)
    hints = {
        "\\t": "indent with spaces, not tabs",
        "expected a single document": "one file holds one document: remove the second ---",
        "mapping values are not allowed": "put text that contains ': ' in quotes",
        "expected <block end>": "check the indentation here and above",
        "undefined alias": "define it above with &",
    }
    hint = next((hint for part, hint in hints.items() if part in why), "")
    return NotYamlError("is not YAML: " + _QUOTED.sub(r"\1", why), place, hint)
