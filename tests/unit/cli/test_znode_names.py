"""Names that others have made up, as lists show them and as commands take them back."""

import re
import shlex
from typing import Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from remuda.cli.deleting import delete
from remuda.cli.explaining import explain
from remuda.cli.overview import nodes, requests, status
from remuda.cli.znode_names import CHARS_MAX, meant_name, shown_name
from remuda.model.fields import IDENTIFIER
from remuda.model.ids import NodeId
from remuda.model.node import NodeState
from remuda.store import paths
from remuda.store.api import Create
from requestor.commands.autohold import autohold
from requestor.commands.release import release
from requestor.commands.request import request
from tests.support.commands import CommandHarness

#: What ZooKeeper lets a name be, and what a terminal or a shell makes something else of.
ODD: Final = (
    "a\u202eb",
    "\u200b",
    "two words",
    "$(reboot)",
    "`reboot`",
    "--force",
    "~root",
    "it's",
    "a%20b",
    "\\u202e",
    "ünit",
    ".hidden",
    "x" * 4000,  # no id: those have 255 characters
    "\u202e" * 4000,
)
#: What no shell takes for anything else, wherever it stands.
PLAIN: Final = re.compile(r"[A-Za-z0-9%_.:][A-Za-z0-9%_.:~-]*")


def nothing() -> tuple[str, ...]:
    """Know no names."""
    return ()


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/"), min_size=1))
@example("%41")
@example("a~b")
def test_a_name_is_meant_by_what_is_shown(name: str) -> None:
    """It needs no quotes, and none is as long as a name may be."""
    shown = shown_name(name)
    assert PLAIN.fullmatch(shown)
    assert shlex.split(shown) == [shown]
    assert len(shown) <= CHARS_MAX or shown == name
    if name not in {".", ".."}:
        assert meant_name(shown, lambda: ["other", name]) == name


@given(st.from_regex(IDENTIFIER, fullmatch=True))
def test_an_id_is_shown_as_it_is(name: str) -> None:
    """And nobody is asked for it."""
    assert shown_name(name) == meant_name(name, nothing) == name


def test_of_long_names_that_begin_alike_each_is_shown_in_its_own_way() -> None:
    """Nor is a name of somebody's shown as another one that is cut."""
    one, other = "x y" * 100 + "1", "x y" * 100 + "2"
    assert shown_name(one) != shown_name(other)
    assert meant_name(shown_name(other), lambda: [one, other]) == other
    assert "~" in shown_name(one)
    assert shown_name(shown_name(one)) != shown_name(one)


@pytest.mark.parametrize("raw", ["two words", "a~b", "100%", "ünit", "a\u202eb"])
def test_what_no_list_has_encoded_may_be_given_as_it_is(raw: str) -> None:
    """As scripts read it in JSON."""
    assert meant_name(raw, nothing) == raw


@pytest.mark.parametrize("given_", ["", ".", "..", "../x", "a%2Fb", "%2E%2E", "%ff"])
def test_what_no_znode_can_be_called_is_refused(given_: str) -> None:
    """No path is made of it."""
    with pytest.raises(ValueError):  # noqa: PT011 - whichever
        meant_name(given_, nothing)


@pytest.mark.parametrize("name", ODD, ids=range(len(ODD)))
def test_an_autohold_is_removed_by_what_the_list_shows(harness: CommandHarness, name: str) -> None:
    """Whatever it is called; another one beside it stays."""
    store = harness.launcher.store
    store.ensure(paths.autohold("a1"), paths.autohold(name))
    listed = harness.call(autohold, "list").stdout
    (shown,) = set(re.findall(r"broken record: (\S+): it is empty", listed)) - {"a1"}
    assert f"autohold {shown}: it is empty" in harness.call(status).stdout

    refused = harness.call(autohold, "remove", shown)
    assert refused.exit_code == 2
    assert f"autohold {shown} cannot be read; --force removes it anyway" in refused.stderr
    done = harness.call(autohold, "remove", shown, "--force")
    assert done.stdout == f"autohold {shown} is removed\n"
    assert store.children(paths.AUTOHOLDS) == ("a1",)
    gone = harness.call(autohold, "remove", shown, "--force")
    assert gone.exit_code == 2
    assert "there is no autohold " in gone.stderr


@pytest.mark.parametrize("name", ["a\u202eb", "two words", "-1", "\\u202e"])
def test_a_node_is_deleted_by_what_the_list_shows(harness: CommandHarness, name: str) -> None:
    """It is found in the list by it, too."""
    harness.launcher.ready_node(node_id=name)
    listed = harness.call(nodes).stdout.splitlines()[1]
    shown = listed.split()[0]
    assert [one["id"] for one in harness.json(nodes, shown)] == [name]
    assert harness.call(delete, shown).stdout.startswith(f"node {shown} was ready")
    assert harness.launcher.read_node(NodeId(name)).state is NodeState.DELETING


@pytest.mark.parametrize("name", ["a\u202eb", "two words", "-1", "\u202e-0000000009"])
def test_a_request_is_cancelled_by_what_the_list_shows(harness: CommandHarness, name: str) -> None:
    """Launchers serve it whatever it is called."""
    harness.launcher.register("small")
    made = harness.call(request, "small").stdout.strip()
    store = harness.launcher.store
    stored = store.read(paths.request(made))
    assert stored is not None
    store.commit([Create(path=f"{paths.REQUESTS}/{name}", data=stored.value)])
    lines = harness.call(requests).stdout.splitlines()[1:]
    (shown,) = {one.split()[0] for one in lines} - {made}
    assert harness.json(explain, shown)["request"] == name
    assert harness.call(release, shown).stdout == f"request {shown} is cancelled\n"
    assert store.children(paths.REQUESTS) == (made,)


def test_a_path_is_no_name_of_a_node(harness: CommandHarness) -> None:
    """One sentence says so."""
    result = harness.call(delete, "../x")
    assert result.exit_code == 2
    assert "'../x' is no name as lists show it" in result.stderr
