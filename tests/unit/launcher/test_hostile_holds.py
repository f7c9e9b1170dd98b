"""Holds whose records, and whose machines, were written by somebody who wants us harm."""

from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launcher.hold.actions import NoteHold
from launcher.hold.orders import LOOK_IN_S, NAME, logins, order
from launcher.policy import compile_policy
from remuda.config.model import Config
from remuda.model.hold import LOGIN_CHARS_MAX, LOGINS_MAX
from remuda.model.holdwish import HOLD_KEY, wish_of
from remuda.ssh.api import ProofSpec, ProofStep, StepTaken
from tests.unit.launcher.test_holds import at, held, next_of, ruled
from tests.unit.launcher.worlds import document
from tests.unit.model.test_publickey import ED25519

MANY: Final = 10_000
MORE: Final = {"token": "e", "by": "ada", "for_s": 60.0, "at_s": 1.0}
KEY: Final = {"token": "k", "by": "ada", "at_s": 1.0, "line": ED25519}
WISH: Final = {"token": "t", "owner": "ada", "reason": "r", "at_s": 1.0}


def nested(levels: int) -> Any:
    """Return lists in lists."""
    made: Any = []
    for _ in range(levels):
        made = [made]
    return made


@pytest.mark.parametrize(
    "change",
    [
        {"extend": [{**MORE, "token": f"e{n}"} for n in range(MANY)]},
        {"keys": [{**KEY, "token": f"k{n}"} for n in range(MANY)]},
        {"extend": nested(60)},
        {"keys": nested(60)},
        {"snapshot": nested(60)},
        {"keys": [{**KEY, "by": nested(60)}], "extend": [{**MORE, "for_s": 10**400}]},
    ],
    ids=["times", "keys", "nested times", "nested keys", "nested image", "fields"],
)
def test_a_wish_beyond_all_measure_answers_nothing(change: dict[str, Any]) -> None:
    """It is none; the hold goes on to its end, and ends."""
    made = ruled(**{"warn-before": 0, "extend": {"times": 0}})
    view = held(made, **{HOLD_KEY: {**WISH, **change}})
    assert view.node is not None
    assert wish_of(view.node) is None
    assert next_of(made, view) is None
    made.touch_node(view)
    found = next_of(made, view, at(3600.0))
    assert found is not None
    assert not isinstance(found, NoteHold)


@given(said=st.text() | st.lists(st.text(), max_size=99).map(lambda m: "\nlogin:".join(["", *m])))
def test_whatever_a_machine_says_of_who_is_logged_in_is_bounded(said: str) -> None:
    """Names that are printed: nothing moves a terminal's cursor, and none is empty."""
    found = logins((StepTaken(name=NAME, step=ProofStep.SETUP, seconds=1.0, ok=True, output=said),))
    assert len(found) <= LOGINS_MAX
    assert len(set(found)) == len(found)
    for one in found:
        assert one
        assert one == one.strip()
        assert one.isprintable()
        assert len(one) <= LOGIN_CHARS_MAX


def test_a_machine_that_prints_without_end_is_left() -> None:
    """A look has its own time and room, with and without a warning."""
    made = ruled()
    made.adopt_policy(compile_policy(Config.model_validate(document(ssh_key_file="/k")), "here"))
    view = held(made, address="198.18.0.1")
    for warning in (None, "it ends"):
        found = order(view, made.policy, warning)
        assert isinstance(found, ProofSpec)
        assert found.setup is not None
        assert found.setup.timeout_s < LOOK_IN_S
        assert found.setup.output_bytes_max <= 8192
