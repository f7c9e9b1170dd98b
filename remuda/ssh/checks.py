"""The built-in checks as scripts: POSIX sh and coreutils, which every image has.

Parameters travel in the environment, so that no name needs quoting. The last line a check prints
is its verdict, with the number that was found and the one that was wanted.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from remuda.config.parts import CheckFrom, ClockCheck, DiskCheck, DnsCheck, NetworkCheck, ScriptFrom
from remuda.ssh.api import Heard, Script

_DISK: Final = """\
#!/bin/sh
line=$(df -Pk -- "$REMUDA_PATH" | tail -n 1) || exit 1
set -- $line
case $4 in
'' | *[!0-9]*) echo "cannot tell how much is free on $REMUDA_PATH: $line"; exit 1 ;;
esac
mib=$(($4 / 1024))
echo "$REMUDA_PATH has $mib MiB free, $REMUDA_FREE MiB wanted"
[ "$mib" -ge "$REMUDA_FREE" ]
"""

_DNS: Final = """\
#!/bin/sh
found=$(getent hosts "$REMUDA_NAME")
code=$?
case $code in
0) echo "$REMUDA_NAME is ${found%% *}" ;;
2) echo "$REMUDA_NAME does not resolve"; exit 1 ;;
*) echo "cannot resolve $REMUDA_NAME: getent ended with exit code $code"; exit 1 ;;
esac
"""

#: Whatever exists is used: bash is on nearly all images, nc or python3 on most of the others.
_NETWORK: Final = """\
#!/bin/sh
place="$REMUDA_HOST port $REMUDA_PORT"
if command -v bash >/dev/null; then
why=$(bash -c 'exec 3<>"/dev/tcp/$REMUDA_HOST/$REMUDA_PORT"' 2>&1)
elif command -v nc >/dev/null; then
why=$(nc -v -z -w "$REMUDA_LIMIT" "$REMUDA_HOST" "$REMUDA_PORT" 2>&1 </dev/null)
elif command -v python3 >/dev/null; then
why=$(python3 -c 'import os, socket
socket.create_connection((os.environ["REMUDA_HOST"], int(os.environ["REMUDA_PORT"])))' 2>&1)
else
echo "cannot try $place: the machine has neither bash, nc nor python3"
exit 1
fi
code=$?
if [ $code = 0 ]; then echo "$place answers"; exit 0; fi
why=$(echo "$why" | tail -n 1)
echo "no connection to $place: ${why##*: }"
exit 1
"""

_CLOCK: Final = """\
#!/bin/sh
exec date +%s
"""


_SECONDS: Final = re.compile(r"^(\d{9,12})$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ClockJudge:
    """Compares the machine's clock with ours.

    The machine says whole seconds, at an instant between sending the script and hearing its end:
    only what neither of the two explains counts as skew.
    """

    skew_max_s: float

    def __call__(self, heard: Heard) -> str:
        """Return why the clock is wrong, or an empty string."""
        found = _SECONDS.search(heard.output)
        if found is None:
            return f"cannot tell the time of the machine: it says {heard.output.strip()[:80]!r}"
        said_s = int(found.group(1))
        ahead_s = said_s - heard.ended_s
        behind_s = heard.started_s - (said_s + 1)
        skew_s, side = (ahead_s, "ahead") if ahead_s >= behind_s else (behind_s, "behind")
        if skew_s <= self.skew_max_s:
            return ""
        return f"the clock is {skew_s:.0f} s {side}, {self.skew_max_s:g} s allowed"


def make_checks(checks: Iterable[CheckFrom]) -> tuple[Script, ...]:
    """Return the scripts of *checks*, in their order; see :func:`make_check`."""
    return tuple(make_check(check) for check in checks)


def make_check(check: CheckFrom) -> Script:
    """Return the script of one check of a loaded configuration.

    Raises:
        ValueError: The check is empty, or its file was never read (made by hand, not loaded).
    """
    if check.disk is not None:
        return _disk(check, check.disk)
    if check.dns is not None:
        return _dns(check, check.dns)
    if check.network is not None:
        return _network(check, check.network)
    if check.clock is not None:
        return _clock(check, check.clock)
    if check.script is None:
        raise ValueError("a check of no kind")
    return make_script(check.script, name=check.name or check.script.file or "script")


def make_script(source: ScriptFrom, *, name: str) -> Script:
    """Return a setup or check script of a loaded configuration.

    Raises:
        ValueError: Its file was never read.
    """
    return Script(name=name, text=source.text, timeout_s=source.timeout, as_root=source.as_root)


def _disk(check: CheckFrom, disk: DiskCheck) -> Script:
    return Script(
        name=check.name or f"disk {disk.path}",
        text=_DISK,
        timeout_s=check.timeout,
        environment=(("REMUDA_PATH", disk.path), ("REMUDA_FREE", str(disk.free)), _PLAIN),
    )


def _dns(check: CheckFrom, dns: DnsCheck) -> Script:
    return Script(
        name=check.name or f"dns {dns.name}",
        text=_DNS,
        timeout_s=check.timeout,
        environment=(("REMUDA_NAME", dns.name), _PLAIN),
    )


def _network(check: CheckFrom, network: NetworkCheck) -> Script:
    return Script(
        name=check.name or f"network {network.host}:{network.port}",
        text=_NETWORK,
        timeout_s=check.timeout,
        environment=(
            ("REMUDA_HOST", network.host),
            ("REMUDA_PORT", str(network.port)),
            ("REMUDA_LIMIT", str(max(1, int(check.timeout)))),
            _PLAIN,
        ),
    )


def _clock(check: CheckFrom, clock: ClockCheck) -> Script:
    return Script(
        name=check.name or "clock",
        text=_CLOCK,
        timeout_s=check.timeout,
        environment=(_PLAIN,),
        judge=ClockJudge(clock.skew),
    )


#: Messages and numbers as we expect them, whatever the image's language.
_PLAIN: Final = ("LC_ALL", "C")
