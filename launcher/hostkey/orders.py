"""How a held machine makes itself a host key, and shows it: as whom, by which scripts. Pure."""

from typing import Final

from launcher.hostkey.actions import MakeHostKey, SwitchHostKey
from launcher.node.sshd import FIND_SSHD
from launcher.node.view import NodeView
from launcher.node.visiting import visit
from launcher.policy import Policy
from remuda.model.heldkey import is_host_key
from remuda.ssh.api import ProofSpec, Script

#: For each visit; somebody who gives the machine back in the meantime waits for it.
CHANGE_S: Final = 20.0
MAKE: Final = "make host key"
SWITCH: Final = "switch host key"
#: A machine says its new key behind this.
_SAID: Final = "remuda-made "
#: The files that its sshd has host keys in; which of them the key that it shows, and the new one.
_FILES: Final = (
    r"""#!/bin/sh
set -euf
umask 077
fail() {
    printf '%s\n' "$1" >&2
    exit 1
}
"""
    + FIND_SSHD
    + r"""
[ -x "$sshd" ] || fail 'there is no sshd of OpenSSH on the machine'
command -v ssh-keygen >/dev/null || fail 'there is no ssh-keygen on the machine'
[ -n "$said" ] || fail "$sshd does not say its settings"
paths=$(printf '%s\n' "$said" | sed -n 's/^hostkey //p')
public() {
    ssh-keygen -y -P '' -f "$1" 2>/dev/null </dev/null | cut -d ' ' -f 1,2
}
there='' target=''
for path in $paths; do
    shown=$(public "$path")
    [ "$shown" != "$1" ] || target=$path
    [ "$shown" != "${2-}" ] || there=$path
done
"""
)
#: The argument is the key that the machine shows. What lies in the new one's place goes: of a key
#: that was there before, nobody knows who else has it.
_MAKE: Final = (
    _FILES
    + r"""
[ -n "$target" ] || fail 'no file of its sshd has the host key that it shows'
new=$target.remuda-new
rm -rf "$new" "$new.pub"
ssh-keygen -q -t ed25519 -N '' -C '' -f "$new" </dev/null >/dev/null ||
    fail 'ssh-keygen makes no key'
printf 'remuda-made %s\n' "$(public "$new")"
"""
)
#: Arguments are the key that the machine shows, and the one that it is to show. Done twice it is
#: done once. Whatever fails before the file is renamed changes nothing; afterwards it shows the
#: new key at the latest when sshd is started the next time. Other keys go: whoever was root knows
#: those, too, and nobody of ours believes them.
_SWITCH: Final = (
    _FILES
    + r"""
if [ -z "$there" ]; then
    [ -n "$target" ] || fail 'no file of its sshd has the host key that it shows'
    new=$target.remuda-new
    [ "$(public "$new")" = "$2" ] || fail 'the host key that it has made is not there any more'
    [ ! -e /sys/fs/selinux/enforce ] || chcon --reference="$target" "$new" "$new.pub"
    chmod 644 "$new.pub"
    sync "$new" "$new.pub" 2>/dev/null || sync
    mv -f "$new.pub" "$target.pub"
    mv -f "$new" "$target"
    there=$target
fi
for path in $paths; do
    [ "$path" = "$there" ] || [ -z "$(public "$path")" ] || rm -f "$path" "$path.pub"
done
"$sshd" -t $settings 2>/dev/null || fail "$sshd would not start with the new host key"
[ -z "$listener" ] || kill -HUP "$listener"
"""
)


def make_order(view: NodeView, policy: Policy, _action: MakeHostKey) -> ProofSpec | str:
    """Return how the machine makes a key, or why that cannot be."""
    return _order(view, policy, MAKE, _MAKE)


def switch_order(view: NodeView, policy: Policy, action: SwitchHostKey) -> ProofSpec | str:
    """Return how the machine shows the key that it has made, or why that cannot be."""
    return _order(view, policy, SWITCH, _SWITCH, action.key)


def _order(view: NodeView, policy: Policy, name: str, text: str, *more: str) -> ProofSpec | str:
    shown = None if view.launch is None else view.launch.host_key
    script = Script(
        name=name,
        text=text,
        arguments=(shown or "", *more),
        timeout_s=CHANGE_S / 2,
        output_bytes_max=4096,
        as_root=True,
    )
    return visit(view, policy, script)


def made_key(output: str) -> str | None:
    """Return the key that a machine has made, as it says: it may say anything."""
    said = [line.removeprefix(_SAID).strip() for line in output.splitlines() if _SAID in line]
    return said[-1] if said and is_host_key(said[-1]) else None
