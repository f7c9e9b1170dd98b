"""The account files of an image are its maker's words: they lead nowhere out of its machine."""

import os
from pathlib import Path

import pytest

from sandbox.machines.accounts import write_accounts
from sandbox.machines.base import MachineError
from sandbox.machines.bootplan import User, plan_boot
from sandbox.machines.upper import hide, put, text_of

ADA = User(name="ada", keys=("ssh-ed25519 AAAA ada",))
ME = f"{os.getuid()}:{os.getgid()}"


@pytest.fixture
def upper(tmp_path: Path) -> Path:
    """Return a machine's layer with account files, deep enough to see what leaves it."""
    upper = tmp_path / "a" / "b" / "upper"
    (upper / "etc").mkdir(parents=True)
    for name in ("passwd", "group", "shadow"):
        (upper / "etc" / name).write_text("")
    return upper


def outside(upper: Path) -> list[Path]:
    """Return the files beside a layer."""
    top = upper.parents[1]
    return [one for one in top.rglob("*") if one.is_file() and upper not in one.parents]


def test_an_account_of_the_image_gets_its_keys_in_its_home(upper: Path) -> None:
    """With the rights that the image gave it."""
    (upper / "etc/passwd").write_text(f"ada:x:{ME}::/srv/ada/:/bin/sh\n")
    (upper / "etc/group").write_text("sudo:x:27:bob\n\nodd\n")

    write_accounts(upper, (ADA,))

    assert (upper / "srv/ada/.ssh/authorized_keys").read_text() == "ssh-ed25519 AAAA ada\n"
    assert (upper / "etc/group").read_text() == "sudo:x:27:bob,ada\n\nodd\n"


@pytest.mark.parametrize(
    "line",
    [
        f"ada:x:{ME}::/../../x:/bin/sh",
        f"ada:x:{ME}::/home/../../../x:/bin/sh",
        f"ada:x:{ME}::/home//x:/bin/sh",
        f"ada:x:{ME}::/home/./x:/bin/sh",
        f"ada:x:{ME}::/home/\0x:/bin/sh",
        f"ada:x:{ME}::/:/bin/sh",
        f"ada:x:{ME}:::/bin/sh",
        f"ada:x:{ME}::home:/bin/sh",
        "ada:x:a:b::/srv/ada:/bin/sh",
        "ada:x:-1:0::/srv/ada:/bin/sh",
        "ada:x:99999999999:0::/srv/ada:/bin/sh",
        f"ada:x:{'9' * 5000}:0::/srv/ada:/bin/sh",
        "ada:x:²:0::/srv/ada:/bin/sh",
        "ada:x:0",
        "ada:",
    ],
)
def test_an_entry_that_cannot_be_used_fails_the_machine(upper: Path, line: str) -> None:
    """And writes nothing on the host, whose root we are."""
    (upper / "etc/passwd").write_text(f"{line}\n")

    with pytest.raises(MachineError):
        write_accounts(upper, (ADA,))

    assert outside(upper) == []


def test_a_group_or_numbers_that_cannot_be_used_fail_the_machine(upper: Path) -> None:
    """As such an entry does."""
    (upper / "etc/group").write_text("sudo\n")
    with pytest.raises(MachineError, match="group"):
        write_accounts(upper, (ADA,))

    (upper / "etc/group").write_text("")
    full = "".join(f"u{n}:x:{n}:{n}::/home/u{n}:/bin/sh\n" for n in range(1000, 60000))
    (upper / "etc/passwd").write_text(full)
    with pytest.raises(MachineError, match="number"):
        write_accounts(upper, (ADA,))


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", "", "a//x", "./x", "a/..", "a\0"])
def test_no_name_leads_out_of_a_machine(upper: Path, name: str) -> None:
    """Neither to write, nor to read, nor to hide."""
    (upper.parent / "x").write_text("the host's")
    for call in (lambda: put(upper, name, ""), lambda: text_of(upper, name)):
        with pytest.raises(MachineError):
            call()
    with pytest.raises(MachineError):
        hide(upper, name)

    assert outside(upper) == [upper.parent / "x"]
    assert (upper.parent / "x").read_text() == "the host's"


def test_a_new_account_has_the_shell_and_the_age_that_were_asked_for(upper: Path) -> None:
    """Of a password that has expired sshd wants a new one first."""
    eve = User(name="eve", login_shell="/usr/sbin/nologin", expired=True)

    write_accounts(upper, (ADA, eve))

    passwd = (upper / "etc/passwd").read_text().splitlines()
    assert [line.rpartition(":")[2] for line in passwd] == ["/bin/bash", "/usr/sbin/nologin"]
    shadow = (upper / "etc/shadow").read_text().splitlines()
    assert shadow == ["ada:*:19000:0:99999:7:::", "eve:*:0:0:99999:7:::"]


@pytest.mark.parametrize("shell", ["sh", "/bin/sh\nroot2::0:0::/:/bin/sh", "/bin:/sh", "/"])
def test_a_shell_that_is_no_path_fails_the_machine(upper: Path, shell: str) -> None:
    """It would be read as another entry."""
    with pytest.raises(MachineError, match="shell"):
        write_accounts(upper, (User(name="eve", login_shell=shell),))


@pytest.mark.parametrize(
    ("chpasswd", "expired"),
    [
        ("chpasswd: {users: [{name: ada, password: x}]}", True),
        ("chpasswd: {expire: true, users: [{name: ada, password: x}]}", True),
        ("chpasswd: {expire: false, users: [{name: ada, password: x}]}", False),
        ("chpasswd: {users: [{name: nobody-here, password: x}]}", False),
        ("chpasswd: {users: ada}", False),
        ("chpasswd: [ada]", False),
    ],
)
def test_whose_password_has_expired_is_said_as_cloud_init_has_it(
    chpasswd: str, *, expired: bool
) -> None:
    """A new password is to be changed, unless that is not wanted."""
    data = f"#cloud-config\nusers: [default, {{name: ada, shell: /bin/sh}}]\n{chpasswd}\n"

    plan = plan_boot(data.encode(), hostname="h", user="debian", keys=())

    (ada,) = (one for one in plan.users if one.name == "ada")
    assert (ada.expired, ada.login_shell) == (expired, "/bin/sh")
    assert not any(one.expired for one in plan.users if one.name != "ada")
