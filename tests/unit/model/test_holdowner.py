"""For whom a machine is held: its owner and operators change a hold, and nobody else."""

import json
from typing import Any, Final

import pytest

from remuda.model import node as nodes
from remuda.model.hold import Hold, HoldSource
from remuda.model.holdowner import HeldFor, held_for
from remuda.model.ids import NodeId
from remuda.model.node import Node

ADA: Final = Hold(owner="ada", reason="red", source=HoldSource.AUTOHOLD, for_s=60.0, since_s=1.0)


def node(**fields: Any) -> Node:
    """Return a held node that ci had in use."""
    doc: dict[str, Any] = {"type": ["small"], "state": "hold", "requestor": "ci", **fields}
    return nodes.decode(NodeId("0000000001"), json.dumps(doc).encode())


@pytest.mark.parametrize(
    ("owner", "source", "people"),
    [
        ("ada", HoldSource.ASKED, {"ada"}),
        ("ada", HoldSource.AUTOHOLD, {"ada"}),
        ("ada", HoldSource.REQUESTOR, {"ada"}),
        ("unit-tests", HoldSource.ZUUL, {"unit-tests", "ci"}),
        ("unit-tests", HoldSource.JENKINS, {"unit-tests", "ci"}),
        ("", HoldSource.ASKED, {"ci"}),
        ("ada", None, {"ada", "ci"}),
    ],
)
def test_a_hold_is_its_owners(owner: str, source: HoldSource | None, people: set[str]) -> None:
    """Where a job is named, or nobody, it is of who had the node: else it were nobody's."""
    one = HeldFor(owner=owner, source=source, requestor="ci")
    assert {name for name in ("ada", "ci", "eve", "unit-tests") if one.is_of(name)} == people


@pytest.mark.parametrize("name", ["ci  pipeline", "c" * 250, "ci\tpipeline "])
def test_a_name_that_records_keep_short_is_still_its_owners(name: str) -> None:
    """The hold has it as one short line; whoever asks, as it was given."""
    there = node(requestor=name)
    assert held_for(there, None).is_of(name)
    assert not held_for(there, None).is_of(name[:2])


def test_the_launchers_word_counts_more_than_the_users_record() -> None:
    """Whoever may write that record could else make itself the owner."""
    there = node(hold_job="eve", user_data={"zuul_system": "x"})
    assert held_for(there, ADA) == HeldFor(owner="ada", source=HoldSource.AUTOHOLD, requestor="ci")


@pytest.mark.parametrize(
    ("fields", "hold", "owner", "source"),
    [
        ({}, None, "ci", HoldSource.REQUESTOR),
        ({"hold_job": "ada"}, None, "ada", HoldSource.REQUESTOR),
        ({"hold_job": "j", "user_data": {"zuul_system": "x"}}, None, "j", HoldSource.ZUUL),
        ({"build_id": "7"}, None, "ci", HoldSource.JENKINS),
        (
            {"hold_job": "eve"},
            Hold(owner="ada", reason="", source=HoldSource.ASKED, for_s=1.0, refused="no"),
            "eve",
            HoldSource.REQUESTOR,
        ),
    ],
)
def test_without_the_launchers_word_the_record_says_whose_it_is(
    fields: dict[str, Any], hold: Hold | None, owner: str, source: HoldSource
) -> None:
    """A wish that was refused is no hold: somebody else has held the node since."""
    found = held_for(node(**fields), hold)
    assert (found.owner, found.source) == (owner, source)
