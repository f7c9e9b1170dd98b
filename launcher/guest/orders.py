"""How a guest key is put onto a machine: where, as whom, and by which script. Pure."""

from typing import Final

from launcher.node.probing import probe_target
from launcher.node.view import NodeView
from launcher.policy import Policy
from remuda.ssh.api import Login, ProofSpec, Script

#: For the whole visit.
LET_IN_S: Final = 30.0
#: At the end of the line of each key that we have put onto a machine that runs.
MARK: Final = "remuda-guest"
#: One guest at a time: the keys of those before open nothing any more. Files of others stay as
#: they are, whatever their mode, owner and last line. What is new is written beside, is on the
#: disk, and then takes the old one's place: whatever goes wrong, who was let in before still is.
_SCRIPT: Final = r"""#!/bin/sh
set -euf
umask 077
fail() {
    printf '%s\n' "$1" >&2
    exit 1
}
# Mode, owner and group, by number; ls shows there, too, whether SELinux or a list says more.
shown() {
    set -- $(ls -ldn "$1")
    printf '%s %s %s' "$1" "$3" "$4"
}
folder=$HOME/.ssh
file=$folder/authorized_keys
new=$folder/.authorized_keys.$2
mkdir -p "$folder"
[ -O "$folder" ] || fail "$folder is somebody else's: no key is put there"
[ ! -L "$file" ] || fail "$file is a link: whose keys are behind it, nobody knows"
[ -e "$file" ] || : >"$file"
[ -f "$file" ] || fail "$file is no file"
was=$(cat "$file")
kept=$(printf '%s\n' "$was" | LC_ALL=C sed "/ $2\$/d")
trap 'rm -f "$new"' EXIT
rm -f "$new"
cp -p "$file" "$new"
[ ! -e /sys/fs/selinux/enforce ] || chcon --reference="$file" "$new"
[ "$(shown "$new")" = "$(shown "$file")" ] || fail "owner and mode of $file cannot be kept"
said=$(printf '%s\n' ${kept:+"$kept"} "$1 $2" | dd of="$new" conv=fsync 2>&1) ||
    fail "$file stays as it was: $said"
grep -q -x -F "$1 $2" "$new"
[ "$(cat "$file")" = "$was" ] || fail "$file was changed meanwhile, and stays as it is now"
mv -f "$new" "$file"
"""


def order(view: NodeView, policy: Policy, key: str) -> ProofSpec | str:
    """Return what the prover is told, or why nobody can be let in."""
    making = policy.making.get(view.key)
    where = probe_target(view, policy)
    if making is None:
        return f"label {view.key[1]} is not in the configuration of the launcher any more"
    if policy.config.ssh_key_file is None:
        return "the launcher itself cannot log in: its provider has no ssh-key-file"
    if where is None:
        return "nobody knows the address of the machine"
    if making.host_keys != "ignore" and not where.host_keys:
        return "the launcher does not know the host key of the machine any more"
    return ProofSpec(
        login=Login(
            address=where.address,
            port=where.port,
            user=making.username,
            key_file=policy.config.ssh_key_file,
            host_keys=where.host_keys,
        ),
        setup=Script(name="guest key", text=_SCRIPT, arguments=(key, MARK), timeout_s=LET_IN_S),
    )
