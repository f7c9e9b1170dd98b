"""``--boot`` in clouds that do not answer, or not well: nothing is left behind, and it is told."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from launcher.checking.examining import examine
from launcher.checking.findings import Findings
from remuda.cloud.api import Server, TryLaterError
from remuda.ssh.errors import KeyFileError
from tests.fakes.cloud_fates import Create, Listing
from tests.unit.checking.conftest import Bench

Pick = Callable[[Findings], dict[str, str]]


def booted(bench: Bench) -> Findings:
    """Check with boots."""
    out = Findings()
    examine(bench.means(), out, boot=True)
    return out


@pytest.mark.parametrize("stop_after", range(1, 9))
def test_ctrl_c_leaves_no_address(bench: Bench, stop_after: int) -> None:
    """Whether the machine has its floating IP by then or not."""
    bench.pool["floating-ips"] = True
    bench.stop_after = stop_after
    bench.cloud.fail("add_floating_ip", TryLaterError("fake: no port yet"))

    booted(bench)

    assert bench.empty()
    assert bench.cloud.list_leftovers() == ()


@pytest.mark.parametrize("fate", [Create.LOST_REPLY, Create.LOST_CALL])
def test_ctrl_c_after_a_call_without_an_answer_leaves_nothing(bench: Bench, fate: Create) -> None:
    """The end waits until it is certain whether there is a machine."""
    bench.cloud.next_creates.append(fate)
    bench.stop_after = 1

    out = booted(bench)

    assert bench.empty()
    assert len(out.facts["boots"]) == 1
    assert any("waiting until it is certain" in text for text in bench.told)


def test_a_cloud_that_lists_nothing_for_a_while_is_waited_for(bench: Bench, problems: Pick) -> None:
    """Neither a launch nor a removal ends for that; listings come less often then."""
    bench.cloud.next_listings.extend([Listing.OK] * 5 + [Listing.FAILS] * 4)

    assert problems(booted(bench)) == {}
    assert bench.empty()
    assert any("the listing fails" in text for text in bench.told)


def test_a_cloud_that_shows_no_tags_is_told(bench: Bench, problems: Pick) -> None:
    """A launcher would not find its server; it is deleted by its id all the same."""
    whole = bench.cloud.list_servers

    def bare() -> tuple[Server, ...]:
        return tuple(replace(one, tags={}) for one in whole())

    bench.cloud.list_servers = bare  # type: ignore[method-assign]
    out = booted(bench)
    bench.cloud.list_servers = whole  # type: ignore[method-assign]

    assert "the cloud lost the server" in problems(out)["main/small"]
    assert "does not show all tags" in problems(out)["tag"]
    assert bench.empty()


def test_our_own_key_that_cannot_be_used_fails_the_login(bench: Bench, problems: Pick) -> None:
    """It was there when the check began; the machine is removed."""
    whole = bench.prover.prove

    def keyless(*_args: object, **_more: object) -> object:
        raise KeyFileError("node-key is not a key any more")

    bench.prover.prove = keyless  # type: ignore[method-assign,assignment]
    out = booted(bench)
    bench.prover.prove = whole  # type: ignore[method-assign]

    assert "login failed" in problems(out)["main/small"]
    assert "is not a key any more" in problems(out)["main/small"]
    assert bench.empty()
