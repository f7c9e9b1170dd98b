"""Visits: how a launcher logs in to a machine that runs, with the provider's own key. Pure."""

from launcher.node.probing import ProbeTarget, probe_target
from launcher.node.view import NodeView
from launcher.policy import Policy
from remuda.ssh.api import Login, ProofSpec, Script


def visit(view: NodeView, policy: Policy, script: Script) -> ProofSpec | str:
    """Return what the prover is told to run *script* there, or why nobody can log in."""
    return visit_at(probe_target(view, policy), view, policy, script)


def visit_at(
    where: ProbeTarget | None, view: NodeView, policy: Policy, script: Script
) -> ProofSpec | str:
    """Return the same for a machine of which it is said where it is, and what it presents.

    Args:
        where: None: nobody knows.
        view: The machine.
        policy: Ours.
        script: What is run there.
    """
    making = policy.making.get(view.key)
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
        setup=script,
    )
