"""How a failed machine is asked for its logs, and how it answers. Pure.

It is asked only between its failure and its deletion, with the launcher's own login. What it says
is a stranger's: bounded in bytes and time, taken apart by a mark that it cannot know before.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from launcher.node.probing import ProbeTarget
from launcher.node.view import NodeView
from launcher.node.visiting import visit, visit_at
from launcher.policy import Policy
from launcher.server.addressing import address
from remuda.model.capsule import LOGS, CapsuleKind
from remuda.ssh.api import ProofSpec, Script

#: For the whole visit, and for the way in; the machine was in once, or it is not asked.
VISIT_S: Final = 12.0
LOGIN_S: Final = 6.0
#: Of each text, in a whole capsule. In ZooKeeper lies less of it.
TEXT_BYTES_MAX: Final = 64 * 1024
RECORD_CHARS_MAX: Final = 8 * 1024
_LINES_MAX: Final = 2_000
#: Marks.
_ROOM_BYTES: Final = 4 * 1024
#: A file that cannot be read is no reason to go without the others: nothing comes of it then, as
#: what a program says of its troubles is no log. One command at a time, each with its own bound: a
#: journal of gigabytes is read from its end only.
_SCRIPT: Final = r"""#!/bin/sh
mark=$1 bytes=$2 lines=$3
me=$(id -u)
as_root() {
    if [ "$me" = 0 ]; then "$@"; elif sudo -n true 2>/dev/null; then sudo -n "$@"; else "$@"; fi
}
part() { printf '\n%s %s\n' "$mark" "$1"; }
part cloud_init
as_root tail -c "$bytes" /var/log/cloud-init.log 2>/dev/null
part cloud_init_output
as_root tail -c "$bytes" /var/log/cloud-init-output.log 2>/dev/null
part journal
if command -v journalctl >/dev/null 2>&1; then
    as_root journalctl -q --boot --no-pager -o short-iso -n "$lines" 2>/dev/null | tail -c "$bytes"
else
    as_root tail -n "$lines" /var/log/syslog 2>/dev/null | tail -c "$bytes"
fi
exit 0
"""


def gather_order(policy: Policy, view: NodeView, kind: CapsuleKind, mark: str) -> ProofSpec | str:
    """Return what the prover is told, or why the machine is not asked."""
    if not policy.capsules.logs:
        return "the configuration says: capsules.logs: false"
    script = Script(
        name="logs",
        text=_SCRIPT,
        arguments=(mark, str(TEXT_BYTES_MAX), str(_LINES_MAX)),
        timeout_s=VISIT_S,
        output_bytes_max=len(LOGS) * TEXT_BYTES_MAX + _ROOM_BYTES,
    )
    if kind is not CapsuleKind.LAUNCH:
        return visit(view, policy, script)
    if policy.config.ssh_key_file is not None and not view.proof.logged_in:
        return "nobody got in"
    return visit_at(_being_made(view, policy), view, policy, script)


def _being_made(view: NodeView, policy: Policy) -> ProbeTarget | None:
    """Return where a machine is that was never ready, and the keys of which it has to show one."""
    where, making = address(view), policy.making.get(view.key)
    if where is None or making is None:
        return None
    made = None if view.launch is None else view.launch.host_key
    met = () if view.proof.last is None else view.proof.last.host_keys
    keys = met if made is None else (made,)
    return ProbeTarget(
        address=where,
        port=making.connection_port,
        host_keys=() if making.host_keys == "ignore" else keys,
    )


def logs_of(output: str, mark: str) -> Mapping[str, str]:
    """Return what a machine printed, taken apart; what it says before the first mark is nothing.

    A text that comes twice is the last one: whoever prints our marks fools itself alone.
    """
    found: dict[str, str] = {}
    for name, text in _parts(output, mark):
        if len(text.encode(errors="replace")) >= TEXT_BYTES_MAX:
            # It was cut there: a first line without its begin may be half of a secret.
            kept = text.partition("\n")[2] or text
        else:
            kept = text
        if name in LOGS and kept.strip():
            found[name] = kept.strip("\n")
    return found


def missing_of(output: str, mark: str) -> tuple[str, ...]:
    """Return of which of :data:`LOGS` a machine has nothing that could be read, though asked."""
    asked = {name for name, _ in _parts(output, mark)}
    return tuple(name for name in LOGS if name in asked - logs_of(output, mark).keys())


def _parts(output: str, mark: str) -> Iterator[tuple[str, str]]:
    for piece in f"\n{output}".split(f"\n{mark} ")[1:]:
        name, _, text = piece.partition("\n")
        yield name, text


def order_until(order: ProofSpec, left_s: float) -> ProofSpec:
    """Return the order with a script that ends in what is left of the time."""
    assert order.setup is not None  # noqa: S101 - as made above
    return replace(order, setup=replace(order.setup, timeout_s=max(0.1, min(VISIT_S, left_s))))
