"""What a machine says that it has received: read as the kernel writes it, believed as little."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remuda.model.fetched import FETCHED_BYTES_MAX
from remuda.ssh.meter import fetched_bytes, meter_script, read_received
from tests.support.meters import HEAD, line, net_dev


def test_all_ways_to_the_outside_count_and_no_inner_ones() -> None:
    """What comes for a container through a bridge has come through eth0 before."""
    inner = ("docker0", "veth12ab", "br-77", "virbr0", "tap0", "wg0", "bond0", "lo")
    told = HEAD + "".join(line(one, 10**6) for one in inner) + line("eth0", 5) + line("ens4", 7)

    assert read_received(told) == 12


def test_this_machine_can_be_read() -> None:
    """As the kernel of today writes it."""
    assert read_received(Path("/proc/net/dev").read_text()) is not None


def test_old_kernels_leave_no_blank_after_the_colon() -> None:
    """A counter of ten digits filled its column."""
    assert read_received(f"{HEAD}  eth0:1234567890 9 0 0\n") == 1234567890


@pytest.mark.parametrize(
    "told",
    [
        "",
        "cat: /proc/net/dev: No such file or directory\n",
        net_dev(5).split("\n", 1)[1],  # the beginning was cut off: what is left is not all
        f"{HEAD}eth0\n",
        f"{HEAD}eth0:\n",
        f"{HEAD}eth0: many 9\n",
        f"{HEAD}eth0: -5 9\n",
        f"{HEAD}eth0: 1e9 9\n",
        f"{HEAD}eth0: ٣٤ 9\n",
        f"{HEAD}eth0: {'9' * 5000} 9\n",
        f"{HEAD}{line('eth0', 5)}Killed\n",
    ],
)
def test_what_is_no_count_tells_nothing(told: str) -> None:
    """Half a sum would be believed."""
    assert read_received(told) is None


@given(st.text())
def test_any_text_is_read_or_not(told: str) -> None:
    """Nothing that a machine says raises."""
    for text in (told, HEAD + told, f"{HEAD}eth0: {told}"):
        found = read_received(text)
        assert found is None or found >= 0


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (5, 12, 7),
        (5, 5, 0),
        (None, 5, None),
        (5, None, None),
        (12, 5, None),  # it was started anew
        (0, FETCHED_BYTES_MAX, FETCHED_BYTES_MAX),
        (0, FETCHED_BYTES_MAX + 1, None),
    ],
)
def test_what_was_fetched_is_what_came_in_between(
    before: int | None, after: int | None, expected: int | None
) -> None:
    """What no machine can have received is not believed."""
    assert fetched_bytes(before, after) == expected


def test_the_question_is_short_and_its_answer_bounded() -> None:
    """It is asked beside a user's work."""
    script = meter_script()
    assert (script.timeout_s, script.output_bytes_max) == (5.0, 64 * 1024)
    assert not script.as_root
