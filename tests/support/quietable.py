"""A machine to be made quiet: a root directory of its own, entered with chroot in namespaces.

What runs in it is the very program that goes over a connection, so that no script needs to know
of tests. Tools are the host's, seen read-only, with a few stand-ins in front of them; or busybox
and nothing else.
"""

import os
import shutil
import subprocess
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from remuda.ssh.answers import Answers
from remuda.ssh.api import Heard, Script
from remuda.ssh.wrapping import make_token, program

#: By this key it is met whenever it is made quiet.
HOST_KEY: Final = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMetMetMetMetMetMetMetMetMetMetMetMetMetMet"
#: The name of the machine.
NAME: Final = "build-7"
_LIMIT_S: Final = 60.0
_BUSYBOX: Final = shutil.which("busybox") or "/bin/busybox"


class Tools(StrEnum):
    """What the machine has."""

    DEBIAN = "debian"  # dash, coreutils, dpkg
    BASH = "bash"  # the same, where sh is bash
    BUSYBOX = "busybox"  # nothing else


#: Mounts are the machine's own and vanish with it. $1 its root, $2 its tools, $3 stand-ins.
_ENTER: Final = f"""
set -e
[ "$2" = busybox ] || mount -t overlay overlay -o "lowerdir=$3:/usr" "$1/usr"
mount -t proc proc "$1/proc"
mount --bind /dev "$1/dev"
hostname {NAME}
exec chroot "$1" /bin/sh
"""

#: The root's disk has grown: 20 GiB, one partition, and a file system in all of it.
_DF: Final = """\
#!/bin/sh
cat /run/df 2>/dev/null && exit
echo 'Filesystem 1024-blocks Used Available Capacity Mounted on'
echo '/dev/vda1 20400000 1000000 19400000 5% /'
"""
_SYSTEMCTL: Final = """\
#!/bin/sh
echo "$*" >>/run/systemctl-calls
case $* in
*is-active*) [ -e /run/seed-active ] ;;
*--failed*) cat /run/failed-units 2>/dev/null ;;
'stop systemd-random-seed.service')
    [ -e /run/seed-active ] || exit 0
    rm /run/seed-active
    mkdir -p /var/lib/systemd
    echo chance >/var/lib/systemd/random-seed
    ;;
esac
"""
_DMESG: Final = """\
#!/bin/sh
cat /run/dmesg 2>/dev/null
"""
#: A machine whose kernel is its own. Only files of /proc are asked, so cat is the place.
_CAT: Final = """\
#!/bin/sh
[ "$*" = /proc/2/comm ] && [ -e /run/own-kernel ] && echo kthreadd && exit
exec /usr/bin/cat "$@"
"""


def has_busybox() -> bool:
    """Return whether machines of :attr:`Tools.BUSYBOX` can be made."""
    return Path(_BUSYBOX).exists()


def why_not() -> str:
    """Say why no such machine can be made here, or return an empty string."""
    if os.geteuid() != 0:
        return "needs root, for mounts of its own"
    tried = subprocess.run(
        ["unshare", "--mount", "--pid", "--uts", "--fork", "mount", "-t", "tmpfs", "t", "/mnt"],
        capture_output=True,
        text=True,
        check=False,
    )
    return tried.stderr.strip()


@dataclass(frozen=True, kw_only=True)
class Machine:
    """One machine.

    Attributes:
        folder: All that belongs to it; its root is below.
    """

    folder: Path
    tools: Tools = Tools.DEBIAN

    @property
    def root(self) -> Path:
        """Return its root directory."""
        return self.folder / "root"

    def copied(self, folder: Path) -> "Machine":
        """Return another one with the same disk."""
        subprocess.run(["cp", "-a", self.folder, folder], check=True)
        return Machine(folder=folder, tools=self.tools)

    def sh(self, text: str) -> str:
        """Run shell text on it as root, which must succeed; return what it printed."""
        done = self._run(f"set -e\n{text}\n".encode())
        assert done.returncode == 0, done.stdout
        return done.stdout

    def run(self, script: Script, before: str = "") -> tuple[int, str]:
        """Run a script as a connection would; return its exit code and what it printed.

        Args:
            script: What to run.
            before: Shell text for the same boot: mounts and processes end with it.
        """
        if "quiet" in dict(script.environment)["REMUDA_PHASES"]:
            (self.root / "etc/ssh/ssh_host_met_key.pub").write_text(f"{HOST_KEY} met\n")
        nonce, said = make_token(), bytearray()
        done = self._run(f"{before}\n".encode() + program(script, make_token(), nonce))
        answers = Answers(nonce, said.extend)
        answers.add(done.stdout.encode())
        assert answers.code in (None, done.returncode), done.stdout
        return done.returncode, said.decode() if answers.begun else done.stdout

    def verdict(self, script: Script) -> str:
        """Return why *script* has failed, by exit code and judge; empty if it has not."""
        code, output = self.run(script)
        if code:
            return output.rstrip("\n").rpartition("\n")[2]
        assert script.judge is not None
        return script.judge(Heard(output=output, started_s=0.0, ended_s=0.0))

    def _run(self, data: bytes) -> "subprocess.CompletedProcess[str]":
        command = ["unshare", "--mount", "--pid", "--uts", "--fork", "--kill-child", "sh", "-c"]
        done = subprocess.run(
            [*command, _ENTER, "enter", self.root, self.tools, self.folder / "usr"],
            input=data,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_LIMIT_S,
            check=False,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"},
        )
        text = done.stdout.decode(errors="replace")
        return subprocess.CompletedProcess(done.args, done.returncode, text)


def make(folder: Path, tools: Tools = Tools.DEBIAN) -> Machine:
    """Make a machine that has nothing yet that would have to go."""
    machine = Machine(folder=folder, tools=tools)
    root = machine.root
    for name in ("proc", "dev", "usr", "run", "boot", "var/log", "home/ci/.ssh", "etc/ssh"):
        (root / name).mkdir(parents=True)
    for name, mode in (("tmp", 0o1777), ("var/tmp", 0o1777), ("root/.ssh", 0o700)):
        (root / name).mkdir(parents=True)
        (root / name).chmod(mode)
    _write_settings(root)
    (folder / "usr").mkdir()
    if tools is Tools.BUSYBOX:
        (root / "bin").mkdir()
        shutil.copy2(_BUSYBOX, root / "bin/busybox")
        for applet in subprocess.check_output([_BUSYBOX, "--list"], text=True).split():
            if applet != "busybox":
                (root / "bin" / applet).symlink_to("busybox")
        return machine
    for name in ("bin", "sbin", "lib", "lib64"):
        (root / name).symlink_to(f"usr/{name}")
    subprocess.run(["cp", "-a", "/etc/alternatives", root / "etc"], check=True)
    for name in ("dpkg/info", "dpkg/updates", "apt/lists/partial"):
        (root / "var/lib" / name).mkdir(parents=True)
    (root / "var/lib/dpkg/status").touch()
    (root / "var/cache/apt/archives/partial").mkdir(parents=True)
    _stand_in(folder / "usr", tools)
    return machine


def _write_settings(root: Path) -> None:
    texts = {
        "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nci:x:1000:1000::/home/ci:/bin/sh\n",
        "etc/group": "root:x:0:\n",
        "etc/hosts": "127.0.0.1 localhost\n# of the site\n10.0.0.9 mirror mirror.site # ours\n",
        "etc/fstab": "/dev/vda1 / ext4 defaults 0 1\n",
        "etc/ssh/sshd_config": "AuthorizedKeysFile .ssh/authorized_keys /etc/ssh/keys/%u\n",
        "var/cache/precious.deb": "a package\n",
        "root/.cache/precious": "a cache\n",
    }
    for name, text in texts.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _stand_in(usr: Path, tools: Tools) -> None:
    local = usr / "local/bin"
    local.mkdir(parents=True)
    stand_ins = {"df": _DF, "systemctl": _SYSTEMCTL, "dmesg": _DMESG, "cat": _CAT}
    for name, text in stand_ins.items():
        (local / name).write_text(text)
        (local / name).chmod(0o755)
    systemd = usr / "lib/systemd/systemd"
    systemd.parent.mkdir(parents=True)
    systemd.touch()
    (usr / "bin").mkdir()
    (usr / "bin/sh").symlink_to("bash" if tools is Tools.BASH else "dash")
