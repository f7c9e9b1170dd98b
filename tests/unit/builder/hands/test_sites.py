"""What ends a transfer, and what does not."""

from collections.abc import Callable

import pytest

from builder.place.sites import FENCE_S, call_fence, transfer_fence
from tests.unit.builder.hands.clouds import Setting


def _nothing(_: Setting) -> None:
    pass


def _away(setting: Setting) -> None:
    setting.store.suspend()


def _back(setting: Setting) -> None:
    setting.store.suspend()
    setting.store.resume()


def _over(setting: Setting) -> None:
    setting.store.expire()


def _refused(setting: Setting) -> None:
    setting.store.refuse()


def _late(setting: Setting) -> None:
    setting.clock.advance(100.5)


@pytest.mark.parametrize(
    ("happens", "call", "transfer"),
    [
        (_nothing, None, None),
        (_away, "no connection", None),
        (_back, None, None),
        (_over, "is over", "is over"),
        (_refused, "no connection", "is over"),
        (_late, "too late", "too long"),
    ],
)
def test_transfers_bear_what_calls_do_not(
    setting: Setting,
    happens: Callable[[Setting], None],
    call: str | None,
    transfer: str | None,
) -> None:
    """Hours of work do not end because a connection was away for a moment."""
    fences = (
        call_fence(setting.store, setting.clock),
        transfer_fence(setting.store, setting.clock, lambda: False, 100.0),
    )

    happens(setting)

    for fence, says in zip(fences, (call, transfer), strict=True):
        assert (fence() is None) is (says is None)
        assert (says or "") in (fence() or "")


def test_transfer_ends_with_the_builder(setting: Setting) -> None:
    """At once."""
    fence = transfer_fence(setting.store, setting.clock, lambda: True, 100.0)

    assert fence() == "we are told to end"


def test_call_waits_for_a_minute_at_most(setting: Setting) -> None:
    """Records say when it has arrived at last."""
    fence = call_fence(setting.store, setting.clock)

    setting.clock.advance(FENCE_S)
    open_still = fence()
    setting.clock.advance(0.1)

    assert open_still is None
    assert fence() is not None
