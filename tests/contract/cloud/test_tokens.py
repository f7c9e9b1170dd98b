"""Tokens: few of them, whatever they live for and whatever the cloud's clock says."""

import threading
import time
from collections.abc import Callable
from typing import Final, NamedTuple

import pytest

from remuda.cloud.api import CloudError
from tests.contract.cloud.bench import Bench

LIFE_S = 4
#: Long enough for two tokens to end.
BUSY_S = 10.0
THREADS = 3
#: The calls of a thread are so far apart: what they cost the cloud proves nothing.
CALL_EVERY_S = 0.1
DAY_S = 86_400.0


def tokens(bench: Bench) -> int:
    """Return how many there were so far, or skip the test here."""
    count = bench.tokens()
    if count is None:
        pytest.skip("this cloud does not count its tokens")
    return count


#: What Nova answers when its own token has ended, by which it has ours judged: on a busy machine
#: one of a few seconds is old before it is used. That is the cloud's to mend, not ours.
KEYSTONE_AWAY: Final = "The Keystone service is temporarily unavailable"


class Kept(NamedTuple):
    """What came of calling again and again: how long it took, and what failed of ours."""

    took_s: float
    errors: list[CloudError]


def keep_calling(call: Callable[[], object], seconds: float, *, least: int = 1) -> Kept:
    """Call again and again in several threads, for *seconds* and at *least* so often."""
    begun_s = time.monotonic()
    pause = threading.Event()
    calls: list[None] = []
    errors: list[CloudError] = []

    def work() -> None:
        # A busy machine may take all of the time for a few calls.
        while time.monotonic() < begun_s + seconds or len(calls) < least:
            try:
                call()
                calls.append(None)
            except CloudError as exc:
                if KEYSTONE_AWAY not in str(exc):
                    errors.append(exc)
                    return
            pause.wait(CALL_EVERY_S)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(THREADS)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(seconds + 60.0)
    assert not any(each.is_alive() for each in threads), f"{len(calls)} calls in a minute"
    return Kept(time.monotonic() - begun_s, errors)


def test_one_connection_needs_one_token(bench: Bench) -> None:
    """For all its calls to all services."""
    before = tokens(bench)
    cloud, images = bench.fresh()

    for _ in range(5):
        cloud.list_servers()
        cloud.list_leftovers()
        images.list_images()
    cloud.quota()

    assert tokens(bench) - before == 1


@pytest.mark.parametrize("skew_s", [0.0, DAY_S, -DAY_S], ids=["right", "ahead", "behind"])
def test_tokens_that_live_for_seconds_are_renewed_without_anybody_noticing(
    bench: Bench, skew_s: float
) -> None:
    """Over the life of a few tokens many calls cost about as few; no call fails."""
    with bench.token_life(LIFE_S), bench.skew(skew_s):
        before = tokens(bench)
        kept = keep_calling(bench.fresh()[0].list_servers, BUSY_S, least=21)
        spent = tokens(bench) - before

    assert kept.errors == []
    assert BUSY_S // LIFE_S <= spent <= kept.took_s // LIFE_S + 2


@pytest.mark.parametrize("skew_s", [DAY_S, -DAY_S], ids=["ahead", "behind"])
def test_a_cloud_whose_clock_is_wrong_costs_one_token(bench: Bench, skew_s: float) -> None:
    """Though ``expires_at`` seems to be long past, or far ahead."""
    with bench.skew(skew_s):
        before = tokens(bench)
        cloud, _ = bench.fresh()
        for _ in range(10):
            cloud.list_servers()
        spent = tokens(bench) - before

    assert spent == 1


def test_a_token_that_is_refused_is_renewed_once(bench: Bench) -> None:
    """By whoever notices first; the others take the new one."""
    cloud, images = bench.fresh()
    cloud.list_servers()
    before = tokens(bench)
    bench.revoke_token(cloud)

    kept = keep_calling(images.list_images, 0.5)
    cloud.list_servers()

    assert kept.errors == []
    assert tokens(bench) - before == 1
