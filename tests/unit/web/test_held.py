"""Held machines on the page that a person opens first."""

from typing import Any, Final

import pytest

from remuda.metrics.prometheus import PrometheusBackend
from remuda.web.held import held_part
from remuda.web.pages import PageSources, Readiness, answer

ONE: Final[dict[str, Any]] = {
    "node": "3000000001",
    "label": "small",
    "pool": "main",
    "owner": "ada",
    "reason": "red",
    "job": "unit 7",
    "by": "asked",
    "begun": True,
    "since_at_s": 2e9,
    "ends_at_s": 2e9 + 3600.0,
    "logins": ["ada pts/0"],
    "seen_at_s": 2e9,
    "lost": None,
    "bounded": None,
    "take_home": "making",
}


def page(holds: object) -> str:
    """Return the page of a process that says *holds*."""
    sources = PageSources(
        title="launcher of here",
        metrics=PrometheusBackend().text,
        ready=lambda: Readiness(ok=True, reason=""),
        status=lambda: {} if holds is None else {"holds": holds},
    )
    return answer("/", sources).body.decode()


def test_a_held_machine_is_shown_with_all_that_its_people_want_to_know() -> None:
    """For whom, why, of which job, until when, who is in, and its image."""
    shown = page({"count": 3, "first": [ONE]})
    for words in (
        "<td>3000000001</td><td>small</td><td>main</td><td>ada</td><td>red</td><td>unit 7</td>",
        "<td>2033-05-18 04:33 UTC</td><td>ada pts/0</td>",
        "<td>by asked; to take home: making</td>",
        "and 2 more",
        "Owners are unproven",
    ):
        assert words in shown


def test_what_is_not_known_yet_is_said() -> None:
    """Granted, empty, or of a process that has no machines."""
    granted = page({"count": 1, "first": [{**ONE, "begun": False, "logins": [], "job": None}]})
    assert "<td>its job still has it</td><td>nobody, 2033-05-18 03:33 UTC</td>" in granted
    assert "<p>none</p>" in page({"count": 0, "first": []})
    assert "Held machines" not in page(None)


@pytest.mark.parametrize("key", sorted(ONE))
def test_no_text_of_a_stranger_becomes_a_part_of_the_page(key: str) -> None:
    """Nor does a value of any kind end it."""
    evil = "<script>alert(1)</script>\x1b[31m\u202e" + "x" * 5000
    for value in (evil, [evil], {"a": evil}, -1e308, 1e308, float("nan"), True, None):
        shown = held_part({"count": 1, "first": [{**ONE, key: value}]})
        assert "<script>" not in shown
        assert "\x1b" not in shown
        assert "\u202e" not in shown
        assert len(shown) < 5000


@pytest.mark.parametrize("told", [7, [], {"first": 7}, {"count": "x", "first": [7, ONE]}], ids=repr)
def test_what_is_no_list_of_holds_ends_nothing(told: object) -> None:
    """What can be read of it is shown."""
    assert "Traceback" not in page(told)
