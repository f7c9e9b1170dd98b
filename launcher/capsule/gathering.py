"""How a failed machine is asked for its logs, and how it answers. Pure.

It is asked only between its failure and its deletion, with the launcher's own login. What it says
is a stranger's: bounded in bytes and time, taken apart by a mark that it cannot know before.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from launcher.node.probing import probe_target
from launcher.node.view import NodeView
from launcher.policy import Policy
from launcher.server.addressing import address
from remuda.model.capsule import LOGS, CapsuleKind
from remuda.ssh.api import Login, ProofSpec, Script

#: For the whole visit, and for the way in; the machine was in once, or it is not asked.
VISIT_S: Final = 12.0
LOGIN_S: Final = 6.0
#: Of each text, in a whole capsule. In ZooKeeper lies less of it.
TEXT_BYTES_MAX: Final = 64 * 1024
RECORD_CHARS_MAX: Final = 8 * 1024
_LINES_MAX: Final = 2_000
#: Marks, and what the shell says of files that are not there.
_ROOM_BYTES: Final = 4 * 1024
#: A file that cannot be read is no reason to go without the others. One command at a time, each
#: with its own bound: a journal of gigabytes is read from its end only.
_SCRIPT: Final = r"""#!/bin/sh
mark=$1 bytes=$2 lines=$3
me=$(id -u)
as_root() {
    if [ "$me" = 0 ]; then "$@"; elif sudo -n true 2>/dev/null; then sudo -n "$@"; else "$@"; fi
}
part() { printf '\n%s %s\n' "$mark" "$1"; }
part cloud_init
as_root tail -c "$bytes" /var/log/cloud-init.log 2>&1
part cloud_init_output
as_root tail -c "$bytes" /var/log/cloud-init-output.log 2>&1
part journal
if command -v journalctl >/dev/null 2>&1; then
    as_root journalctl -q --boot --no-pager -o short-iso -n "$lines" 2>&1 | tail -c "$bytes"
else
    as_root tail -n "$lines" /var/log/syslog 2>&1 | tail -c "$bytes"
fi
exit 0
"""


def gather_order(policy: Policy, view: NodeView, kind: CapsuleKind, mark: str) -> ProofSpec | str:
    """Return what the prover is told, or why the machine is not asked."""
    making = policy.making.get(view.key)
    refused = _unasked(policy, view, kind)
    if making is None or refused is not None:
        return refused or f"label {view.key[1]} is not configured here any more"
    where, keys = _where(view, policy, kind)
    if where is None:
        return "nobody knows the address of the machine"
    if making.host_keys == "ignore":
        keys = ()
    elif not keys:
        return "the launcher does not know the host key of the machine"
    return ProofSpec(
        login=Login(
            address=where,
            port=making.connection_port,
            user=making.username,
            key_file=policy.config.ssh_key_file,
            host_keys=keys,
        ),
        setup=Script(
            name="logs",
            text=_SCRIPT,
            arguments=(mark, str(TEXT_BYTES_MAX), str(_LINES_MAX)),
            timeout_s=VISIT_S,
            output_bytes_max=len(LOGS) * TEXT_BYTES_MAX + _ROOM_BYTES,
        ),
    )


def _unasked(policy: Policy, view: NodeView, kind: CapsuleKind) -> str | None:
    """Return why a machine is not asked, whatever is known of it, or None."""
    if not policy.capsules.logs:
        return "the configuration says: capsules.logs: false"
    if policy.config.ssh_key_file is None:
        return "the launcher cannot log in: its provider has no ssh-key-file"
    if kind is CapsuleKind.LAUNCH and not view.proof.logged_in:
        return "nobody got in"
    return None


def _where(view: NodeView, policy: Policy, kind: CapsuleKind) -> tuple[str | None, tuple[str, ...]]:
    """Return where the machine is, and the keys of which it has to show one."""
    if kind is CapsuleKind.LAUNCH:
        made = None if view.launch is None else view.launch.host_key
        met = () if view.proof.last is None else view.proof.last.host_keys
        return address(view), met if made is None else (made,)
    target = probe_target(view, policy)
    return (None, ()) if target is None else (target.address, target.host_keys)


def logs_of(output: str, mark: str) -> Mapping[str, str]:
    """Return what a machine printed, taken apart; what it says before the first mark is nothing.

    A text that comes twice is the last one: whoever prints our marks fools itself alone.
    """
    found: dict[str, str] = {}
    for piece in f"\n{output}".split(f"\n{mark} ")[1:]:
        name, _, text = piece.partition("\n")
        if len(text.encode(errors="replace")) >= TEXT_BYTES_MAX:
            # It was cut there: a first line without its begin may be half of a secret.
            text = text.partition("\n")[2] or text
        if name in LOGS and text.strip():
            found[name] = text.strip("\n")
    return found


def order_until(order: ProofSpec, left_s: float) -> ProofSpec:
    """Return the order with a script that ends in what is left of the time."""
    assert order.setup is not None  # noqa: S101 - as made above
    return replace(order, setup=replace(order.setup, timeout_s=max(0.1, min(VISIT_S, left_s))))
