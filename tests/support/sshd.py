"""A plain sshd on loopback as the current user: own keys, own configuration, own home."""

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from remuda.runtime.ports import free_port

#: Where Debian puts it; not in the PATH of everybody.
SSHD: Final = shutil.which("sshd") or "/usr/sbin/sshd"

#: What it may take to be up, and to end, on a machine with others at work.
_UP_S: Final = 60.0


@dataclass(frozen=True, kw_only=True)
class Sshd:
    """A running server and how to get in."""

    port: int
    host_key: str
    key_file: Path
    user: str
    home: Path
    process: "subprocess.Popen[bytes]"

    @property
    def authorized_keys(self) -> Path:
        """Return the file of the keys that may log in."""
        return self.home / "authorized_keys"

    def log(self) -> str:
        """Return what it logged so far."""
        return (self.home / "sshd.log").read_text()


def available() -> str:
    """Return why no sshd can be started here, or an empty string."""
    if not Path(SSHD).exists():
        return "needs the Debian package openssh-server"
    return ""


def make_key(path: Path) -> str:
    """Write a new ed25519 private key; return its public line."""
    key = Ed25519PrivateKey.generate()
    text = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    path.touch(mode=0o600)
    path.write_bytes(text)
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


@contextmanager
def running(home: Path, *, settings: str = "", path: str | None = None) -> Iterator[Sshd]:
    """Run an sshd until the block ends.

    Args:
        home: An empty directory for everything it needs.
        settings: More lines for its configuration.
        path: The PATH of commands, with stand-ins for ``sudo`` and the like.
    """
    home.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:  # sshd's privilege separation; its package makes this at boot
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    host_key = make_key(home / "host_key")
    public = make_key(home / "key")
    (home / "authorized_keys").write_text(public + "\n")
    port = free_port()
    config = home / "config"
    config.write_text(_config(home, port, settings, path))
    log = home / "sshd.log"
    process = subprocess.Popen(
        [SSHD, "-D", "-f", str(config), "-E", str(log)],
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _wait_until_up(port, process, log)
        yield Sshd(
            port=port,
            host_key=host_key,
            key_file=home / "key",
            user=getpass.getuser(),
            home=home,
            process=process,
        )
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(_UP_S)


def _config(home: Path, port: int, settings: str, path: str | None) -> str:
    lines = [
        f"ListenAddress 127.0.0.1:{port}",
        f"HostKey {home}/host_key",
        f"AuthorizedKeysFile {home}/authorized_keys",
        f"PidFile {home}/pid",
        "StrictModes no",
        "PermitRootLogin yes",
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
        "UsePAM no",
        "UseDNS no",
        "MaxStartups 200",
        "PerSourcePenalties no" if _has_penalties() else "",
        # bash takes a shell that sshd starts for a login and reads .bashrc, unless nested.
        "SetEnv SHLVL=2" + (f" PATH={path}" if path else ""),
        settings,
    ]
    return "\n".join(line for line in lines if line) + "\n"


def _has_penalties() -> bool:
    """Tell if this sshd (9.8 or newer) punishes addresses that fail to log in."""
    asked = subprocess.run(
        [SSHD, "-T", "-f", "/dev/null", "-h", "/dev/null"], capture_output=True, check=False
    )
    return b"persourcepenalties" in asked.stdout.lower()


def _wait_until_up(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Connect until it answers; between attempts wait for the process to end, which is news."""
    attempts = int(_UP_S / 0.02)
    for _ in range(attempts):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as sock:
            if sock.recv(4) == b"SSH-":
                return
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = process.wait(0.02)
            raise RuntimeError(f"sshd ended with {code}: {log.read_text()}")
    raise RuntimeError(f"sshd does not answer on port {port}: {log.read_text()}")


@contextmanager
def serving(behave: "Behaviour") -> Iterator[int]:
    """Listen on loopback and treat each connection as *behave* says; yield the port.

    All connections are handled in one thread, closed with the block.
    """
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    held: list[socket.socket] = []

    def accept() -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            with contextlib.suppress(OSError):
                if behave.says:
                    sock.sendall(behave.says)
                if behave.closes:
                    sock.close()
                    continue
            held.append(sock)

    thread = threading.Thread(target=accept, name="odd-server")
    thread.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
        for sock in held:
            sock.close()


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """How an odd server treats a connection: what it says first, and if it then hangs up."""

    says: bytes = b""
    closes: bool = False
