"""How a guest key is put onto a machine: where, as whom, and by which script. Pure."""

import hashlib
from typing import Final

from launcher.guest.actions import SetKeys
from launcher.node.sshd import FIND_SSHD
from launcher.node.view import NodeView
from launcher.node.visiting import visit
from launcher.policy import Policy
from remuda.ssh.api import ProofSpec, Script

#: For the whole visit.
LET_IN_S: Final = 30.0
#: At the end of the line of each key that we have put onto a machine that runs.
MARK: Final = "remuda-guest"
#: The lines of a wish for keys end so, and with what tells them from those of all other wishes.
KEY_MARK: Final = "remuda-key-"
_MARK_CHARS: Final = 20
#: Arguments are the lines to put, if any, and the mark. The lines that have it go: those of the
#: builder before, or of the wish that is taken back; they open nothing any more. Files of others
#: stay as they are, whatever their mode, owner and last line. What is new is written beside, is
#: on the disk, and then takes the old one's place: whatever goes wrong, who was let in still is.
#: New lines come first, for sshd goes by the first line with a key: cloud-init puts keys of user
#: data into root's file with a command that only refuses (`disable_root`).
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
ours=${1:+$(printf '%s\n' "$1" | sed "s/\$/ $2/")}
said=$(printf '%s' "${ours:+$ours
}${kept:+$kept
}" | dd of="$new" conv=fsync 2>&1) ||
    fail "$file stays as it was: $said"
[ -z "$ours" ] || [ "$(LC_ALL=C grep -c " $2\$" "$new")" = "$(printf '%s\n' "$1" | grep -c .)" ] ||
    fail "$file stays as it was: what was written is not there"
[ "$(cat "$file")" = "$was" ] || fail "$file was changed meanwhile, and stays as it is now"
mv -f "$new" "$file"
"""
#: The same for the account of the third argument, by that account itself: a home is its owner's,
#: who might lead root anywhere. The fourth is the script above. An sshd that lets root in by no key
#: says so; where rules for some addresses or users may say otherwise, it is left to them.
_AS_ACCOUNT: Final = (
    """#!/bin/sh
set -euf
if [ "$3" = root ] && [ -n "$1" ]; then
"""
    + FIND_SSHD
    + """
    case $said in
    *'
permitrootlogin no
'* | *'
permitrootlogin forced-commands-only
'*)
        if ! grep -rqi '^[[:space:]]*match[[:space:]]' /etc/ssh 2>/dev/null; then
            printf 'sshd lets nobody in as root on the machine (PermitRootLogin)\\n' >&2
            exit 1
        fi
        ;;
    esac
fi
if ! id "$3" >/dev/null 2>&1; then
    printf 'there is no account %s on the machine\\n' "$3" >&2
    exit 1
fi
export REMUDA_LINES="$1" REMUDA_MARK="$2" REMUDA_TEXT="$4"
cd /
exec su -s /bin/sh "$3" -c 'exec /bin/sh -c "$REMUDA_TEXT" sh "$REMUDA_LINES" "$REMUDA_MARK"'
"""
)


def order(view: NodeView, policy: Policy, key: str) -> ProofSpec | str:
    """Return what the prover is told, or why nobody can be let in."""
    script = Script(name="guest key", text=_SCRIPT, arguments=(key, MARK), timeout_s=LET_IN_S)
    return visit(view, policy, script)


def key_order(view: NodeView, policy: Policy, action: SetKeys) -> ProofSpec | str:
    """Return how the keys of a wish are put on or taken off, or why that cannot be."""
    lines = "\n".join(one.line for one in action.keys)
    mark = mark_of(action.token)
    making = policy.making.get(view.key)
    if making is None or making.username == action.account:
        script = Script(name="key", text=_SCRIPT, arguments=(lines, mark), timeout_s=LET_IN_S)
    else:
        script = Script(
            name=f"key of {action.account}",
            text=_AS_ACCOUNT,
            arguments=(lines, mark, action.account, _SCRIPT),
            timeout_s=LET_IN_S,
            as_root=True,
        )
    return visit(view, policy, script)


def mark_of(token: str) -> str:
    """Return what the lines of a wish end with; it means the same to sed as to people."""
    return KEY_MARK + hashlib.sha256(token.encode()).hexdigest()[:_MARK_CHARS]
