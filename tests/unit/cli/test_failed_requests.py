"""Requests that failed and are deleted: `remuda explain` and `remuda failures` tell why."""

import pytest

from remuda.cli.explaining import explain
from remuda.cli.failures import failures
from remuda.model.failedrequest import FailedRequest, encode_failed, stem
from remuda.model.ids import ProviderName, RequestId
from remuda.model.job import Job
from remuda.model.status import Ruling
from remuda.store import paths
from remuda.store.api import Create
from tests.support.commands import CommandHarness
from tests.support.standin import NOW_S

GONE = RequestId("200-0000000042")


@pytest.fixture
def harness() -> CommandHarness:
    """A harness where a request of two providers has failed."""
    one = CommandHarness()
    one.launcher.store.ensure(paths.FAILED_REQUESTS)
    keep(one, GONE, small=2, big=1)
    return one


def keep(harness: CommandHarness, request: RequestId, at_s: float = NOW_S, **labels: int) -> None:
    """Write what a launcher keeps."""
    kept = FailedRequest(
        request=request,
        at_s=at_s,
        provider=ProviderName("beta"),
        labels=labels,
        requestor="zuul",
        job=Job(job="unit", pipeline="check", project="example.org/p"),
        created_s=NOW_S - 60,
        reasons={
            ProviderName("alpha"): "no pool makes big",
            ProviderName("beta"): "2 launches for it failed; the last: \x1b[31mno route",
        },
    )
    path = f"{paths.FAILED_REQUESTS}/{stem(request)}"
    harness.launcher.store.commit([Create(path=path, data=encode_failed(kept), sequence=True)])


def test_explain_tells_why_a_request_failed_that_is_deleted(harness: CommandHarness) -> None:
    """Whose it was, for which job, and what everybody said."""
    result = harness.call(explain, GONE)
    doc = harness.json(explain, GONE)

    assert result.exit_code == 0
    assert f"request {GONE} (2 small, big) of zuul: unit (check, example.org/p), failed" in (
        result.stdout
    )
    assert "ago and is deleted" in result.stdout
    assert "no pool makes big" in result.stdout
    assert r"\x1b[31mno route" in result.stdout
    assert (doc["state"], doc["gone"], doc["ended_at_s"]) == ("failed", True, NOW_S)
    assert doc["job"]["job"] == "unit"
    assert [one["provider"] for one in doc["verdicts"]] == ["alpha", "beta"]


def test_a_verdict_that_is_still_there_has_its_numbers(harness: CommandHarness) -> None:
    """One that did not decline is of another time."""
    harness.launcher.say(GONE, Ruling.DECLINED, "too large", numbers={"cores_max": 4})
    (alpha, _) = harness.json(explain, GONE)["verdicts"]

    assert (alpha["reason"], alpha["numbers"]) == ("too large", {"cores_max": 4})


def test_a_request_of_which_nothing_is_kept_is_unknown(harness: CommandHarness) -> None:
    """Also if one begins like it."""
    result = harness.call(explain, GONE[:-1])

    assert result.exit_code == 2
    assert "or it failed long ago" in result.stderr


def test_failures_lists_requests_beside_launches(harness: CommandHarness) -> None:
    """And by provider, label, or id."""
    keep(harness, RequestId("100-0000000043"), NOW_S + 5, odd=1)
    harness.launcher.failure("3000000007", request=GONE)
    both = harness.call(failures).stdout
    one = harness.call(failures, GONE).stdout

    assert both.index("3000000007") < both.index("100-0000000043") < both.index(GONE)
    assert "zuul: unit (check, example.org/p)" in both
    assert "alpha declined: no pool makes big" in one
    assert "for request 200-0000000042" in one
    assert "100-0000000043" not in one

    def ids(*words: str) -> list[str]:
        return [entry["request"] for entry in harness.json(failures, *words)["requests"]]

    assert ids() == ["100-0000000043", GONE]
    assert ids("--label", "odd") == ["100-0000000043"]
    assert ids("--provider", "alpha") == ["100-0000000043", GONE]
    assert ids("--provider", "gamma") == []
    assert [one["node"] for one in harness.json(failures, GONE)["launches"]] == ["3000000007"]


def test_a_tree_of_an_older_version_has_none() -> None:
    """Its launchers keep nothing."""
    harness = CommandHarness()

    assert "no failures" in harness.call(failures).stdout
    assert harness.json(failures) == {"launches": [], "jobs": [], "requests": []}
    assert harness.call(explain, GONE).exit_code == 2
