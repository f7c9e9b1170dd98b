"""Providers that have written nothing of a request: `explain` tells of them all the same."""

from typing import Any

import pytest

from remuda.cli.explaining import explain
from remuda.insight.unheard import instead
from remuda.model.component import PoolComponent
from remuda.model.ids import RequestId
from remuda.model.request import Request, RequestState
from remuda.model.status import LabelStatus, ProviderStatus, Ruling, Verdict
from requestor.commands.request import request
from tests.support.commands import CommandHarness
from tests.support.standin import StandIn


def asked(**fields: Any) -> Request:
    """Return a request for one small node."""
    return Request(
        **{
            "id": RequestId("200-0000000001"),
            "state": RequestState.PENDING,
            "labels": ("small",),
            "doc": {},
            **fields,
        }
    )


def pool(*labels: str, **fields: Any) -> PoolComponent:
    """Return a registered pool of the provider east."""
    told = {"id": "east-main", "hostname": "h", "provider": "east", "pool": "main", **fields}
    return PoolComponent(labels=labels, priority=100, **told)


AWAY = ProviderStatus(provider="east", trouble="HTTP 503")
BROKEN = ProviderStatus(provider="east", labels={"small": LabelStatus(broken="no image")})
WELL = ProviderStatus(provider="east", labels={"small": LabelStatus(room=1)})


@pytest.mark.parametrize(
    ("pools", "status", "alive", "ruling", "words"),
    [
        ([], AWAY, False, "waiting", "no launcher of it is running"),
        ([], None, True, "declined", "no pool of it makes all of its labels"),
        ([pool("large")], WELL, True, "declined", "no pool of it makes all of its labels"),
        ([pool("small", paused=True)], WELL, True, "waiting", "its pools are paused"),
        ([pool("small")], AWAY, True, "waiting", "its cloud is out of service: HTTP 503"),
        ([pool("small")], BROKEN, True, "waiting", "small cannot be made: no image"),
        ([pool("small")], WELL, True, "yielding", "it has said nothing of it yet"),
        ([pool("small")], AWAY, False, "yielding", "it has said nothing of it yet"),
    ],
)
def test_what_is_public_is_said_in_its_place(
    pools: list[PoolComponent],
    status: ProviderStatus | None,
    alive: bool,  # noqa: FBT001
    ruling: str,
    words: str,
) -> None:
    """The first that applies; what a provider told before it died counts no more."""
    (found,) = instead(
        asked(),
        (),
        components=pools,
        statuses={} if status is None else {"east": status},
        living={"east": ["one"] * alive},
    )

    assert (found.provider, str(found.ruling), found.reason, found.at_s) == (
        "east",
        ruling,
        words,
        0.0,
    )


def test_a_decline_is_in_the_request_itself() -> None:
    """Its verdict may be gone."""
    (found,) = instead(
        asked(declined_by=("east-main",)), (), components=[pool("small")], statuses={}, living={}
    )

    assert (found.ruling, found.reason) == (Ruling.DECLINED, "it has declined")


@pytest.mark.parametrize("state", [RequestState.FULFILLED, RequestState.FAILED])
def test_nothing_is_said_of_what_is_over(state: RequestState) -> None:
    """Nobody waits for it any more."""
    assert instead(asked(state=state), (), components=[pool("small")], statuses={}, living={}) == ()


def test_who_has_spoken_speaks_for_himself() -> None:
    """Nothing is added to it."""
    heard = Verdict(provider="east", ruling=Ruling.SERVING, reason="")

    assert instead(asked(), (heard,), components=[pool("small")], statuses={}, living={}) == ()


def test_explain_has_a_line_for_every_provider(harness: CommandHarness) -> None:
    """Those without a launcher, too; in the table and in JSON, after those that have spoken."""
    made = harness.call(request, "small").stdout.strip()
    harness.launcher.register("small")
    StandIn(harness.launcher.store, "gone").status(trouble="HTTP 401")
    harness.launcher.say(made, Ruling.SERVING, "0 of 1 nodes are ready")
    lines = harness.call(explain, made).stdout.splitlines()
    doc = harness.json(explain, made)

    assert [one["provider"] for one in doc["verdicts"]] == ["alpha", "gone"]
    assert lines[2].split()[:2] == ["gone", "waiting"]
    assert "no launcher of it is running" in lines[2]
