"""Where everything of the lab lies, and where its services answer."""

import os
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[3]
HERE: Final = Path(__file__).resolve().parent

#: In the order in which they are started.
SERVICES: Final = ("keystone", "placement", "glance", "neutron", "swift", "nova")
DATABASES: Final = (
    *("keystone", "placement", "glance", "neutron"),
    *("nova", "nova_api", "nova_cell0"),
)
#: Of every account; nothing of this leaves the loopback.
PASSWORD: Final = "lab"
REGIONS: Final = ("RegionOne", "RegionTwo")

#: The usual ports, moved out of the way of other installations.
_PORTS: Final[Mapping[str, int]] = {
    "keystone": 5000,
    "placement": 8778,
    "glance": 9292,
    "neutron": 9696,
    "swift": 8080,
    "nova": 8774,
}
_SHIFT: Final = 10_000
#: Where servers get their addresses; one of them tells whether port 22 is free for them.
_PROBED: Final = "127.10.255.254"
_SSH_PORT: Final = 22
#: For machines whose own sshd listens on every address.
_SSH_PORT_ELSE: Final = 2022
#: A socket's path is at most so long (sockaddr_un).
_SOCKET_CHARS_MAX: Final = 107


@dataclass(frozen=True, slots=True)
class Layout:
    """One lab: a folder and a range of ports."""

    home: Path
    port_shift: int = _SHIFT

    @classmethod
    def here(cls) -> "Layout":
        """Return the lab of this checkout, unless the environment names another."""
        home = os.environ.get("REMUDA_OPENSTACK_HOME") or ROOT / "build" / "openstack"
        shift = int(os.environ.get("REMUDA_OPENSTACK_PORT_SHIFT") or _SHIFT)
        return cls(Path(home).resolve(), shift)

    @property
    def venv(self) -> Path:
        """The services' own Python environment."""
        return self.home / "venv"

    @property
    def state(self) -> Path:
        """All that is forgotten by ``wipe``."""
        return self.home / "state"

    @property
    def etc(self) -> Path:
        """The services' configuration."""
        return self.state / "etc"

    @property
    def log(self) -> Path:
        """The services' logs."""
        return self.state / "log"

    @property
    def run(self) -> Path:
        """Pid files and the database's socket."""
        return self.state / "run"

    @property
    def calls(self) -> Path:
        """Where each service notes the API calls that it got, one file per service."""
        return self.state / "calls"

    @property
    def faults(self) -> Path:
        """The rules of what is to go wrong."""
        return self.state / "faults.json"

    @property
    def clouds_file(self) -> Path:
        """The accounts."""
        return self.home / "clouds.yaml"

    @property
    def socket(self) -> Path:
        """Of the database server."""
        return self.run / "mysql.sock"

    @property
    def auth_url(self) -> str:
        """Where Keystone answers."""
        return f"{self.url('keystone')}/v3"

    def port(self, service: str) -> int:
        """Return a service's TCP port; 0 if it has none."""
        return _PORTS[service] + self.port_shift if service in _PORTS else 0

    def url(self, service: str) -> str:
        """Return where a service answers."""
        return f"http://127.0.0.1:{self.port(service)}"

    def database(self, name: str) -> str:
        """Return the URL of a database."""
        return f"mysql+pymysql://root@localhost/{name}?unix_socket={self.socket}&charset=utf8mb4"

    def ssh_port(self) -> int:
        """Return the port on which servers answer: 22, unless this machine took all of those.

        Decided once per state, for images and tests rely on it.
        """
        note = self.state / "ssh-port"
        if not note.exists():
            note.parent.mkdir(parents=True, exist_ok=True)
            # Several threads ask at once while schemas are loaded: none may find it half written.
            draft = note.with_name(f"{note.name}.{threading.get_ident()}")
            draft.write_text(str(_SSH_PORT if _is_free(_SSH_PORT) else _SSH_PORT_ELSE))
            draft.rename(note)
        return int(note.read_text())

    def complaint(self) -> str:
        """Say why this folder cannot carry a lab; empty if it can."""
        if len(str(self.socket)) > _SOCKET_CHARS_MAX:
            return f"{self.socket} is too long for a socket: set REMUDA_OPENSTACK_HOME"
        return ""


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_PROBED, port))
        except OSError:
            return False
        return True
