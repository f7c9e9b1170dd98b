"""The change of a held machine's host key: its table, and its part of a record."""

import pytest

from remuda.model.codec import CorruptRecordError
from remuda.model.fields import Fields
from remuda.model.heldkey import (
    HOST_KEY_TABLE,
    HostKeyChange,
    HostKeyEvent,
    HostKeyStep,
    IllegalHostKeyStepError,
    change_doc,
    moved,
    read_change,
)
from tests.unit.model.test_publickey import ED25519, RSA


@pytest.mark.parametrize("step", [None, *HostKeyStep])
@pytest.mark.parametrize("event", list(HostKeyEvent))
def test_every_pair_is_an_edge_or_an_error(step: HostKeyStep | None, event: HostKeyEvent) -> None:
    """Nothing else is possible, and what was made stays known."""
    before = None if step is None else HostKeyChange(step=step, at_s=1.0, key=ED25519)
    after = HOST_KEY_TABLE[step].get(event)
    if after is None:
        with pytest.raises(IllegalHostKeyStepError):
            moved(before, event, at_s=2.0, key=ED25519)
        return
    change = moved(before, event, at_s=2.0, key=ED25519, why="why")
    assert (change.step, change.at_s, change.key, change.why) == (after, 2.0, ED25519, "why")


@pytest.mark.parametrize(
    "change",
    [
        HostKeyChange(step=HostKeyStep.MADE, at_s=1.5, key=ED25519),
        HostKeyChange(step=HostKeyStep.KEPT, at_s=1.5, why="it cannot"),
    ],
    ids=["made", "kept"],
)
def test_it_is_read_as_it_was_written(change: HostKeyChange) -> None:
    """And nothing is nothing."""
    assert read_change(Fields("x", {"host_key": change_doc(change)}), "host_key") == change
    assert read_change(Fields("x", {}), "host_key") is None


@pytest.mark.parametrize(
    "doc",
    [
        {"step": "made", "at_s": 1.0},
        {"step": "made", "at_s": 1.0, "key": RSA},
        {"step": "changed", "at_s": 1.0, "key": f"{ED25519} comment"},
        {"step": "kept", "at_s": float("nan")},
        {"step": "lost", "at_s": 1.0, "key": ED25519},
    ],
)
def test_what_is_no_change_is_refused(doc: object) -> None:
    """A key that is none would be believed, or lock us out."""
    with pytest.raises(CorruptRecordError):
        read_change(Fields("x", {"host_key": doc}), "host_key")
