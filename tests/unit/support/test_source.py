"""The eyes of the tidy tests see what they should."""

import ast

import pytest

from tests.support import source as code
from tests.support.source import Source
from tests.test_architecture import ours
from tests.test_tidy import catches_everything, undocumented


def source(text: str, *, path: str = "remuda/a/b.py", module: str = "remuda.a.b") -> Source:
    """Return a file that is not there."""
    return Source(path=path, module=module, text=text, tree=ast.parse(text))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("import time\ntime.sleep(1)", "time.sleep"),
        ("import time as t\nt.sleep(1)", "time.sleep"),
        ("from time import sleep\nsleep(1)", "time.sleep"),
        ("from time import sleep as nap\nnap(1)", "time.sleep"),
        ("def f():\n    import time\n    time.sleep(1)", "time.sleep"),
        ("import datetime\ndatetime.datetime.now()", "datetime.datetime.now"),
        ("from datetime import datetime\ndatetime.now()", "datetime.datetime.now"),
        ("import os.path\nos.path.join()", "os.path.join"),
    ],
)
def test_a_use_is_seen_under_any_name(text: str, name: str) -> None:
    """However it was imported."""
    assert name in {used for _, used in code.uses(source(text))}


def test_a_method_of_the_same_name_is_no_use() -> None:
    """Only what was imported counts."""
    text = "def f(clock):\n    clock.sleep(1)\n    time = clock\n    time.sleep(1)"
    assert [used for _, used in code.uses(source(text))] == []


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("import a.b", "a.b"),
        ("from a import b as c", "a.b"),
        ("from . import c", "remuda.a.c"),
        ("from .c import d", "remuda.a.c.d"),
        ("from ..c import d", "remuda.c.d"),
    ],
)
def test_imports_are_absolute(text: str, name: str) -> None:
    """Relative ones, too."""
    assert [found for _, found in code.imports(source(text))] == [name]


def test_a_package_is_its_own_parent() -> None:
    """In ``__init__.py`` one dot means the package itself."""
    package = source("from . import c", path="remuda/a/__init__.py", module="remuda.a")
    assert [found for _, found in code.imports(package)] == ["remuda.a.c"]


@pytest.mark.parametrize(
    ("handler", "everything"),
    [
        ("except:\n    pass", True),
        ("except Exception:\n    pass", True),
        ("except (OSError, BaseException):\n    pass", True),
        ("except OSError:\n    pass", False),
        ("except BaseException:\n    tidy()\n    raise", False),
    ],
)
def test_a_blanket_is_told_from_tidying_up(handler: str, *, everything: bool) -> None:
    """What goes on with a plain ``raise`` hides nothing."""
    tree = ast.parse(f"try:\n    f()\n{handler}")
    (found,) = (node for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler))
    assert catches_everything(found) is everything


def test_what_is_undocumented_is_found_in_classes_too() -> None:
    """Private things may keep silent."""
    text = 'class A:\n    """Doc."""\n    def f(self): ...\n    def _g(self): ...\ndef h(): ...'
    seen = source(text)
    assert list(undocumented(seen, seen.tree.body)) == [
        "remuda/a/b.py:3: f has no docstring",
        "remuda/a/b.py:5: h has no docstring",
    ]


def test_the_tests_look_at_real_code() -> None:
    """An empty list of files would pass every rule."""
    assert "remuda.metrics.names" in ours()
    assert any(one.path == "tests/test_tidy.py" for one in code.tests())
    assert code.ROOT / "Makefile" in code.files()
