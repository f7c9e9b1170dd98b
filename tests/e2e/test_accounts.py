"""Machines whose account opens for our key and is of no use, or says more than it is asked."""

import io
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from remuda.ssh.api import Login
from remuda.ssh.session import open_session
from requestor import Client, RequestFailedError
from tests.support.stage import SERVED_S, Stage, open_stage

pytestmark = [pytest.mark.e2e, pytest.mark.ssh, pytest.mark.zk]

_USER = "ada"
_NOISE = """\
echo Welcome; echo 1700000000; echo 1700000000 >&2
"""


def _account(
    stage: Stage, login_shell: str = "/bin/bash", *, bashrc: str = "", expire: bool = False
) -> str:
    """Return user data that makes an account for our key."""
    key = stage.key.with_suffix(".pub").read_text().strip()
    ada = {"name": _USER, "ssh_authorized_keys": [key], "shell": login_shell}
    config: dict[str, Any] = {"users": ["default", ada]}
    if expire:
        config["chpasswd"] = {"users": [{"name": _USER, "password": "ada", "type": "text"}]}
    if bashrc:
        config["write_files"] = [{"path": f"/home/{_USER}/.bashrc", "content": bashrc}]
    return f"#cloud-config\n{yaml.safe_dump(config)}"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Give one provider with an account for each story."""
    with open_stage(tmp_path_factory, "accounts") as made:
        made.cloud("a")
        made.label("noisy", checks=[{"clock": {}}])
        accounts = {
            "expired": _account(made, expire=True),
            "nologin": _account(made, "/usr/sbin/nologin"),
            "useless": _account(made, "/bin/true"),
            "noisy": _account(made, bashrc=_NOISE),
        }
        labels = {name: {"username": _USER, "user-data": text} for name, text in accounts.items()}
        made.provider("alpha", "a", labels=labels, launch_attempts=1)
        made.launcher("alpha")
        yield made


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("expired", "Password change required but no TTY available."),
        ("nologin", "This account is currently not available."),
        ("useless", "exit code 0, and no answer"),
    ],
)
def test_an_account_that_executes_nothing_is_never_ready(
    stage: Stage, client: Client, label: str, words: str
) -> None:
    """Sshd lets us in, all the same; its own words say why that is of no use (I8)."""
    with pytest.raises(RequestFailedError) as caught:
        client.request(label).wait(SERVED_S)
    (report,) = stage.until(
        lambda: [one for one in stage.failures("alpha").values() if one["label"] == label],
        "the evidence",
    )

    assert "the account does not run commands" in str(caught.value)
    assert words in report["why"]
    assert (report["transcript"][-1]["step"], report["result"]) == ("login", "error.ssh")


def test_what_a_bashrc_says_is_not_taken_for_the_clock(stage: Stage, client: Client) -> None:
    """Its machine is as good as any, and does make that noise."""
    heard = io.BytesIO()
    with client.request("noisy", deadline_s=SERVED_S) as nodes:
        doc = stage.nodes()[nodes[0].id]
        login = Login(
            address=doc["interface_ip"],
            user=doc["username"],
            key_file=str(stage.key),
            host_keys=tuple(doc["host_keys"]),
        )
        with open_session(login) as session:
            assert session.run(["true"], stdout=heard) == 0

    assert heard.getvalue() == b"Welcome\n1700000000\n"
