"""Real SSH servers for the tests of this folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from remuda.ssh.api import Login
from tests.support import sshd as servers
from tests.support.sshd import Sshd

#: A stand-in: the test user need not be in any sudoers file. It notes that it was asked.
_SUDO = """\
#!/bin/sh
[ "$1" = -n ] || exit 9
shift
SUDO_WAS_HERE=yes exec "$@"
"""

#: Says that we are somebody else than root, so that sudo is wanted.
_ID = """\
#!/bin/sh
echo 1000
"""


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """Run one sshd for all tests that leave it as it is."""
    if why := servers.available():
        pytest.skip(why)
    home = tmp_path_factory.mktemp("sshd")
    with servers.running(home) as server:
        yield server


@pytest.fixture(scope="session")
def sudo_sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """Run an sshd whose users are not root but have a sudo."""
    if why := servers.available():
        pytest.skip(why)
    home = tmp_path_factory.mktemp("sudo-sshd")
    tools = home / "bin"
    tools.mkdir()
    for name, text in (("sudo", _SUDO), ("id", _ID)):
        tool = tools / name
        tool.write_text(text)
        tool.chmod(0o755)
    with servers.running(home, path=f"{tools}:/usr/bin:/bin") as server:
        yield server


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a key of ours; hostile machines let everybody in."""
    path = tmp_path_factory.mktemp("key") / "key"
    servers.make_key(path)
    return path


@pytest.fixture
def login(sshd: Sshd) -> Login:
    """Return how to get into the shared server."""
    return login_of(sshd)


def login_of(server: Sshd) -> Login:
    """Return how to get into *server*, with the right host key."""
    return Login(
        address="127.0.0.1",
        port=server.port,
        user=server.user,
        key_file=str(server.key_file),
        host_keys=(server.host_key,),
    )
