"""How a held machine is looked at, and its people told: where, as whom, by which script. Pure."""

from typing import Final

from launcher.node.view import NodeView
from launcher.node.visiting import visit
from launcher.policy import Policy
from remuda.model.hold import LOGIN_CHARS_MAX, LOGINS_MAX
from remuda.ssh.api import ProofSpec, Script, StepTaken

#: For the whole look.
LOOK_IN_S: Final = 30.0
NAME: Final = "look in"
#: Systems that keep no record of logins (minimal ones, and those without utmp) say nobody of
#: everybody: there whoever has a terminal is there. `wall` of some systems knows no argument, and
#: root alone may write to others' terminals. Nothing here may hang at one that nobody reads.
_SCRIPT: Final = r"""#!/bin/sh
set -u
there=$(who 2>/dev/null | head -n 32)
record=yes
if [ -z "$there" ] && [ ! -e /run/utmp ] && [ ! -e /var/run/utmp ]; then
    record=
    there=$(for one in /dev/pts/[0-9]*; do
        [ -c "$one" ] && echo "$(stat -c %U "$one" 2>/dev/null || echo somebody) ${one#/dev/}"
    done | head -n 32)
fi
if [ -n "${1-}" ]; then
    { [ -n "$record" ] && printf '%s\n' "$1" | timeout 5 wall >/dev/null 2>&1; } ||
        printf '%s\n' "$there" | while read -r _ terminal _; do
            [ -c "/dev/$terminal" ] || continue
            printf '\r\n%s\r\n' "$1" | timeout 1 dd of="/dev/$terminal" 2>/dev/null
        done
fi
printf '%s\n' "$there" | while read -r user terminal rest; do
    [ -n "$user" ] || continue
    printf 'login:%s %s %s\n' "$user" "$terminal" "${rest##*(}" | tr -d ')' | cut -c1-100
done
exit 0
"""


def order(view: NodeView, policy: Policy, warning: str | None) -> ProofSpec | str:
    """Return what the prover is told, or why nobody can look."""
    making = policy.making.get(view.key)
    look = Script(
        name=NAME,
        text=_SCRIPT,
        arguments=(warning or "",),
        timeout_s=20.0,
        output_bytes_max=8192,
        as_root=warning is not None and making is not None and making.username != "root",
    )
    return visit(view, policy, look)


def logins(steps: tuple[StepTaken, ...]) -> tuple[str, ...]:
    """Return who is logged in, as a machine says: it may say anything."""
    said = next((one.output for one in steps if one.name == NAME), "")
    lines = (line.strip() for line in said.splitlines())
    names = (
        line.removeprefix("login:")[:LOGIN_CHARS_MAX] for line in lines if line.startswith("login:")
    )
    shown = ("".join(c for c in name if c.isprintable()).strip() for name in names)
    return tuple(dict.fromkeys(one for one in shown if one))[:LOGINS_MAX]
