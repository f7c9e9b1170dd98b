"""docs/states.md shows the tables as they are."""

import re
from pathlib import Path

from remuda.model.build import BUILD_TABLE, BuildState
from remuda.model.diagrams import mermaid, render
from remuda.model.launch import STEP_TABLE, Step
from remuda.model.node import NODE_TABLE, NodeState
from remuda.model.request import REQUEST_TABLE, RequestState
from remuda.model.upload import UPLOAD_TABLE, UploadState

ROOT = Path(__file__).resolve().parents[3]


def test_the_document_is_current() -> None:
    """``make docs`` was run after the last change of a table."""
    assert (ROOT / "docs/states.md").read_text() == render()


def test_every_state_has_a_row_and_is_drawn() -> None:
    """A state that was forgotten in a table would raise KeyError one night."""
    assert set(REQUEST_TABLE) == set(RequestState)
    assert set(NODE_TABLE) == set(NodeState)
    assert set(STEP_TABLE) == set(Step)
    assert set(BUILD_TABLE) == set(BuildState)
    assert set(UPLOAD_TABLE) == set(UploadState)
    document = render()
    for state in (*RequestState, *NodeState, *Step, *BuildState, *UploadState):
        assert re.search(rf"^  {str(state).replace('-', '_')}\b", document, re.MULTILINE)


def test_events_between_the_same_states_share_an_arrow() -> None:
    """Else mermaid draws them over each other."""
    picture = mermaid(NODE_TABLE)

    assert '  state "in-use" as in_use\n' in picture
    assert "  ready --> ready: allocated, freed\n" in picture
    assert "  in_use --> used: returned\n" in picture


def test_final_states_are_drawn_without_arrows() -> None:
    """They end what they belong to."""
    assert "\n  failed\n" in mermaid(REQUEST_TABLE)
