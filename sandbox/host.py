"""What this machine gives a sandbox: a kind of machines, folders, an SSH port, addresses."""

from __future__ import annotations

import contextlib
import logging
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import Final

from sandbox.config import Config, MachineKind, System
from sandbox.machines import probe
from sandbox.machines.base import MachineError, Machines
from sandbox.machines.kernel import mount_tmpfs
from sandbox.machines.namespace import NamespaceMachines
from sandbox.machines.none import NoMachines
from sandbox.machines.ownnet import why_no_network
from sandbox.machines.plain import PlainMachines
from sandbox.machines.system import why_no_minimal
from sandbox.network.addresses import RangeClaim

_LOG = logging.getLogger(__name__)
_USUAL_PORT: Final = 22
_OTHER_PORT: Final = 2222
#: A folder every Linux has, over which we mount our tmpfs, seen by nobody else: if we are
#: killed, not even an empty directory is left.
_COVERED: Final = Path("/dev/shm")  # noqa: S108


class HostUnfitError(Exception):
    """The kind of machines asked for does not work here; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What the machine under the sandbox gives it.

    Attributes:
        kind: The kind of machines, after it was tried out.
        system: What they see of this machine: minimal only if they do, host otherwise.
        ssh_port: The port they listen on.
        image_folder: Where images are kept.
        undo: What to do at the end.
    """

    machines: Machines
    kind: MachineKind
    system: System
    ssh_port: int
    claim: RangeClaim
    image_folder: Path
    undo: contextlib.ExitStack

    def release(self) -> None:
        """Give back what was taken."""
        self.undo.close()


def open_host(config: Config, state: Path | None) -> Host:
    """Take what a sandbox needs; call it from the main thread before there are others.

    Raises:
        HostUnfitError: If the kind of machines asked for does not work here.
        NoAddressesError: If another sandbox has the addresses.
    """
    with contextlib.ExitStack() as undo:
        kind = choose_kind(config.machines)
        check_network(config, kind)
        own_network = config.own_network
        claim = RangeClaim.take(config.address_range, own_network=own_network)
        undo.callback(claim.release)
        gateway = str(claim.network.network_address + 1) if own_network else None
        port = config.ssh_port or _USUAL_PORT
        if not own_network:
            port = choose_port(config.ssh_port, claim.network)
        folder = _folder(kind, undo)
        images = _image_folder(folder, state, undo)
        machines: Machines
        system = System.HOST
        match kind:
            case MachineKind.NAMESPACE:
                system = choose_system(config.system)
                machines = _namespaces(folder / "machines", port, system, gateway)
            case MachineKind.PLAIN:
                machines = PlainMachines(folder / "machines", port)
            case _:
                machines = NoMachines()
        return Host(
            machines=machines,
            kind=kind,
            system=system,
            ssh_port=port,
            claim=claim,
            image_folder=images,
            undo=undo.pop_all(),
        )


def check_network(config: Config, kind: MachineKind) -> None:
    """Do nothing if machines can have the network that they are to have.

    Raises:
        HostUnfitError: If they are to have one of their own, and cannot.
    """
    if not config.own_network:
        return
    why = why_no_network() if kind is MachineKind.NAMESPACE else f"machines of kind {kind} do not"
    if why:
        raise HostUnfitError(f"machines cannot have a network of their own here: {why}")


def _namespaces(folder: Path, port: int, system: System, gateway: str | None) -> NamespaceMachines:
    try:
        minimal = system is System.MINIMAL
        return NamespaceMachines(folder, port, minimal=minimal, gateway=gateway)
    except MachineError as exc:
        raise HostUnfitError(f"machines of system {system} do not work here: {exc}") from exc


def choose_system(wanted: System) -> System:
    """Return what namespace machines see: what is wanted, for auto the least that works."""
    if wanted is not System.AUTO:
        return wanted
    why = why_no_minimal()
    if why:
        _LOG.warning("machines.large cause=%s: they see all of this machine", why)
    return System.HOST if why else System.MINIMAL


def choose_kind(wanted: MachineKind) -> MachineKind:
    """Return the kind to use: the wanted one, or for auto the best that works.

    Raises:
        HostUnfitError: If the wanted one does not work.
    """
    if wanted is MachineKind.NONE:
        return wanted
    checks: dict[MachineKind, Callable[[], str]] = {
        MachineKind.NAMESPACE: probe.why_no_namespace,
        MachineKind.PLAIN: probe.why_no_plain,
    }
    if wanted is not MachineKind.AUTO:
        why = checks[wanted]()
        if why:
            raise HostUnfitError(f"machines of kind {wanted} do not work here: {why}")
        return wanted
    for kind, check in checks.items():
        why = check()
        if not why:
            return kind
        _LOG.warning("machines.unfit kind=%s cause=%s", kind, why)
    return MachineKind.NONE


def choose_port(wanted: int, network: IPv4Network) -> int:
    """Return the SSH port: the wanted one, else 22 if it can be bound, else 2222."""
    if wanted:
        return wanted
    with socket.socket() as attempt:
        try:
            attempt.bind((str(network.network_address + 1), _USUAL_PORT))
            attempt.listen()
        except OSError:  # not root, or an sshd of the host listens on all addresses
            return _OTHER_PORT
    return _USUAL_PORT


def _folder(kind: MachineKind, undo: contextlib.ExitStack) -> Path:
    if kind is not MachineKind.NAMESPACE:
        return _temporary(undo)
    at = _COVERED if _COVERED.is_dir() else _temporary(undo)
    try:
        mount_tmpfs(at)
    except MachineError as exc:
        raise HostUnfitError(f"no place for the disks of machines: {exc}") from exc
    (at / "machines").mkdir()
    return at


def _temporary(undo: contextlib.ExitStack) -> Path:
    """Make a folder that is removed when we end, however we end."""
    folder = Path(tempfile.mkdtemp(prefix="sandbox-"))
    # Its input is a pipe that nobody writes to: it ends when we do, even by kill -9.  Machines
    # end by the same means at the same time, hence the second try.
    command = 'read -r _; umount -l "$1"; rm -rf "$1" || rm -rf "$1"'
    janitor = subprocess.Popen(
        ["/bin/sh", "-c", command, "janitor", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd="/",
    )
    undo.callback(janitor.communicate)
    return folder


def _image_folder(folder: Path, state: Path | None, undo: contextlib.ExitStack) -> Path:
    images = (state or folder) / "images"
    if state:
        # Of an earlier run that was killed; what is in there belongs to nobody any more.
        shutil.rmtree(images, ignore_errors=True)
        undo.callback(shutil.rmtree, images, ignore_errors=True)
    images.mkdir(parents=True)
    return images.absolute()
