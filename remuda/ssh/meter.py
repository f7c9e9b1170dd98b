"""What a machine has received over its network, as it says itself: a statistic, nothing more.

Nothing is decided by it: a machine may say anything. What no machine could have received, and a
counter that went backwards (the machine was started anew), tell nothing.
"""

import re
from typing import Final

from remuda.model.fetched import FETCHED_BYTES_MAX
from remuda.ssh.api import Script

#: A kernel answers at once; nobody waits longer for a statistic.
_LIMIT_S: Final = 5.0
#: Some hundred interfaces; of more, what is read first is forgotten, and nothing is told.
_OUTPUT_BYTES_MAX: Final = 64 * 1024
_DIGITS_MAX: Final = 20
#: Between parts of the machine itself, or a second count of what came through another one.
_INSIDE: Final = re.compile(
    r"(lo|docker|veth|br-|virbr|vnet|cni|flannel|cali|podman|lxc|lxd|tun|tap|wg|bond|dummy|ifb)"
)
_HEADER: Final = "Inter-|"
_METER: Final = "#!/bin/sh\nexec cat /proc/net/dev\n"


def meter_script() -> Script:
    """Return the script whose output :func:`read_received` understands."""
    return Script(name="meter", text=_METER, timeout_s=_LIMIT_S, output_bytes_max=_OUTPUT_BYTES_MAX)


def read_received(output: str) -> int | None:
    """Return the bytes that all interfaces to the outside have received; None: it says nothing.

    Args:
        output: Of the script: the whole of ``/proc/net/dev`` (proc(5)), or anything.
    """
    lines = output.splitlines()
    if not lines or not lines[0].startswith(_HEADER):
        return None  # the beginning was cut off, or it is something else
    total = 0
    for line in lines[2:]:
        name, colon, figures = line.partition(":")
        received = figures.split(maxsplit=1)[:1]
        if not colon or not received or not _is_count(received[0]):
            return None
        if _INSIDE.match(name.strip()) is None:
            total += int(received[0])
    return total


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= _DIGITS_MAX


def fetched_bytes(before: int | None, after: int | None) -> int | None:
    """Return what was received in between; None: nobody knows."""
    if before is None or after is None or not 0 <= after - before <= FETCHED_BYTES_MAX:
        return None
    return after - before
