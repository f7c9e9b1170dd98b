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
#: they are, whatever their mode, owner and last line.
_SCRIPT: Final = """#!/bin/sh
set -eu
umask 077
file=$HOME/.ssh/authorized_keys
mkdir -p "$HOME/.ssh"
[ -e "$file" ] || : >"$file"
kept=$(grep -v " $2\\$" "$file" || [ $? -eq 1 ])
printf '%s\\n' ${kept:+"$kept"} "$1 $2" >"$file"
grep -q -x -F "$1 $2" "$file"
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
