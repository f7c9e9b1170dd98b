"""The disk of a server: what it has written over the host's root file system.

An image is a tar of such a directory: booting unpacks it, a snapshot packs it, so whatever was
installed is in the image. An image that is not a tar boots like an empty one.
"""

import base64
import ipaddress
import os
import secrets
import stat
import subprocess
from pathlib import Path
from typing import Any

from labinit import Wishes, read_wishes
from nova import exception

#: Of the host's root directory a server sees only these; the rest is empty.
_VISIBLE = frozenset({"bin", "etc", "lib", "lib32", "lib64", "libx32", "sbin", "usr", "var", "opt"})
_EMPTY = {
    "dev": 0o755,
    "proc": 0o555,
    "sys": 0o555,
    "run": 0o755,
    "root": 0o700,
    "home": 0o755,
    "tmp": 0o1777,
    "srv": 0o755,
    "mnt": 0o755,
    "var/tmp": 0o1777,
    "var/log": 0o755,
}
_USER = 1000
#: People of the host, who are not to be seen in a server.
_PEOPLE = range(1000, 65000)
_SSHD = """ListenAddress {ip}
Port {port}
{host_keys}AuthorizedKeysFile .ssh/authorized_keys
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
UseDNS no
MaxStartups 100
PidFile none
AcceptEnv LANG LC_*
Subsystem sftp internal-sftp
"""
#: By this file cloud-init knows whom it has made of the machine.
_INSTANCE = "var/lib/cloud/data/instance-id"
_TAR = ("tar", "--xattrs", "--numeric-owner")


def unpack_base(path: Path) -> Path | None:
    """Return *path* if it is a tar."""
    listed = subprocess.run(["tar", "-tf", str(path)], capture_output=True, check=False)
    return path if listed.returncode == 0 else None


def pack(upper: Path, tar: Path) -> None:
    """Write an image of a disk, in use as it may be."""
    done = subprocess.run(
        [
            *(*_TAR, "--xattrs-include=trusted.*"),
            *("--exclude=./tmp/*", "--exclude=./run/*", "--exclude=./dev/*"),
            *("-C", str(upper), "-cf", str(tar), "."),
        ],
        capture_output=True,
        check=False,
    )
    # 1: "file changed as we read it" is no error: a live snapshot is what it is.
    if done.returncode > 1:
        raise exception.NovaException(f"tar: {done.stderr.decode()[-300:]}")


def make_disk(folder: Path, image: Path | None) -> None:
    """Make a server's disk; what it is to be at its first boot comes with :func:`first_boot`."""
    upper = folder / "upper"
    for name in ("upper", "work", "root"):
        (folder / name).mkdir(parents=True)
    if image is not None:
        command = [*_TAR, "--xattrs-include=*", "-xpf", str(image), "-C", str(upper)]
        subprocess.run(command, check=True, capture_output=True)
    _hide_host(upper)


def knows_itself(folder: Path) -> bool:
    """Return whether the disk remembers a boot; cloud-init does nothing more then."""
    return (folder / "upper" / _INSTANCE).is_file()  # no whiteout


def first_boot(folder: Path, instance: Any, network_info: Any, *, with_key: bool) -> None:
    """Do what cloud-init would at a first boot, or once the disk has forgotten that one."""
    upper = folder / "upper"
    ips = [ip["address"] for vif in network_info or [] for ip in vif.fixed_ips()]
    wishes = read_wishes(instance.user_data)
    if instance.key_data and with_key:
        wishes.authorized_keys.append(instance.key_data)
    if not with_key:
        wishes.authorized_keys.clear()
    name = wishes.hostname or instance.hostname
    _identity(upper, name, ips[0] if ips else "", wishes)
    _know_instance(upper, instance)
    _people(upper, wishes.authorized_keys, fresh=not (upper / "home" / "debian").exists())
    script = upper / "var" / "lib" / "lab" / "user-data"
    script.unlink(missing_ok=True)  # the snapshot's, not ours
    if wishes.script:
        _put(upper, "var/lib/lab/user-data", wishes.script, 0o755)
    gateway = _own_gateway(network_info)
    (folder / "address").write_text(f"{ips[0] if ips else '-'} {name} {gateway}")


def _own_gateway(network_info: Any) -> str:
    """Return the gateway of a server that has a network of its own, else ``-``.

    Its first address tells: those of the loopback are the host's.
    """
    for vif in network_info or []:
        for subnet in vif["network"]["subnets"]:
            for ip in subnet["ips"]:
                shared = ipaddress.ip_address(ip["address"]).is_loopback
                return "-" if shared else str(subnet["gateway"]["address"])
    return "-"


def _hide_host(upper: Path) -> None:
    for name in {each.name for each in Path("/").iterdir()} - _VISIBLE - _EMPTY.keys():
        _hide(upper / name)
    for name, mode in _EMPTY.items():
        path = upper / name
        new = not os.path.lexists(path)
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(mode)
        if new:
            os.setxattr(path, "trusted.overlay.opaque", b"y")


def _identity(upper: Path, name: str, ip: str, wishes: Wishes) -> None:
    """Name, address and host keys: those that were given, else new ones."""
    _put(upper, "etc/hostname", f"{name}\n")
    _put(upper, "etc/hosts", f"127.0.0.1 localhost\n{ip or '127.0.1.1'} {name}\n")
    for old in (upper / "etc" / "ssh").glob("ssh_host_*"):
        old.unlink()
    given = dict(wishes.host_keys)
    for kind in () if given else ("ed25519", "ecdsa"):
        path = upper / f"etc/ssh/ssh_host_{kind}_key"
        command = ["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", f"root@{name}", "-f", str(path)]
        path.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(command, check=True, capture_output=True)
    for kind, (private, public) in given.items():
        _put(upper, f"etc/ssh/ssh_host_{kind}_key", f"{private.strip()}\n", 0o600)
        _put(upper, f"etc/ssh/ssh_host_{kind}_key.pub", f"{public.strip()}\n")
    for theirs in Path("/etc/ssh").glob("ssh_host_*"):
        _hide(upper / "etc" / "ssh" / theirs.name)
    lines = "".join(
        f"HostKey /etc/ssh/ssh_host_{kind}_key\n" for kind in given or ("ed25519", "ecdsa")
    )
    port = os.environ["LAB_SSH_PORT"]
    _put(upper, "etc/ssh/lab_sshd_config", _SSHD.format(ip=ip, port=port, host_keys=lines))


def _know_instance(upper: Path, instance: Any) -> None:
    """Make what systemd and cloud-init make where an image brings none; else it keeps its own."""
    for file, content in (
        ("etc/machine-id", f"{secrets.token_hex(16)}\n".encode()),
        ("var/lib/systemd/random-seed", secrets.token_bytes(32)),
    ):
        here = upper / file
        if not here.is_file() or here.read_bytes().strip() in {b"", b"uninitialized"}:
            _put(upper, file, content)
    _put(upper, _INSTANCE, f"{instance.uuid}\n")
    data = base64.b64decode(instance.user_data or "")
    _put(upper, f"var/lib/cloud/instances/{instance.uuid}/user-data.txt", data, 0o600)


def _hide(path: Path) -> None:
    """Let a file of the host's not be seen, unless the server has its own, or hides it already."""
    if not os.path.lexists(path):
        os.mknod(path, stat.S_IFCHR, 0)  # a whiteout


def _people(upper: Path, keys: list[str], *, fresh: bool) -> None:
    """Root and an ordinary user with sudo, as cloud images have, in place of the host's people."""
    authorized = "".join(f"{key.strip()}\n" for key in keys)
    _put(upper, "root/.ssh/authorized_keys", authorized, 0o600)
    if fresh:
        for file, line in (
            ("etc/passwd", f"debian:x:{_USER}:{_USER}:Debian:/home/debian:/bin/bash\n"),
            ("etc/group", f"debian:x:{_USER}:\n"),
        ):
            lines = Path("/", file).read_text().splitlines(keepends=True)
            system = [each for each in lines if int(each.split(":")[2]) not in _PEOPLE]
            _put(upper, file, "".join(system) + line)
        shadow = Path("/etc/shadow").read_text() + "debian:*:19000:0:99999:7:::\n"
        _put(upper, "etc/shadow", shadow, 0o600)
    _put(upper, "etc/sudoers.d/debian", "debian ALL=(ALL) NOPASSWD: ALL\n", 0o440)
    _put(upper, "home/debian/.ssh/authorized_keys", authorized, 0o600)
    for path in ("home/debian", "home/debian/.ssh", "home/debian/.ssh/authorized_keys"):
        os.chown(upper / path, _USER, _USER)


def _put(upper: Path, name: str, content: str | bytes, mode: int = 0o644) -> None:
    path = upper / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(mode)
