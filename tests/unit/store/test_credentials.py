"""Name and password for ZooKeeper: where they come from, and that nobody sees them."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from remuda.config.loader import read
from remuda.config.parts import Roles, Tls, Zookeeper
from remuda.store.api import StoreRefusedError
from remuda.store.configured import store_options
from remuda.store.options import StoreOptions, StoreRoles, StoreSasl

TEXT = """\
zookeeper: {{hosts: ["zk1:2181"], {0}}}
labels:
  small: {{}}
providers:
  here:
    cloud: envvars
    pools:
      main:
        labels:
          small: {{image: debian, flavor: tiny}}
"""


@pytest.fixture
def problems(tmp_path: Path) -> Callable[..., list[str]]:
    """A function that returns what is wrong with a zookeeper section."""

    def says(section: str, **environ: str) -> list[str]:
        (tmp_path / "auth").touch(mode=0o600)
        (tmp_path / "auth").write_text("name:word\n")
        file = tmp_path / "remuda.yaml"
        file.write_text(TEXT.format(section))
        return [str(one).split(": ", 1)[1] for one in read(file, environ=environ).problems]

    return says


def test_digest_from_a_file(tmp_path: Path) -> None:
    """As ZooKeeper's own scheme takes it."""
    file = tmp_path / "auth"
    file.write_text("name:pass:word\nnot this\n")
    options = store_options(Zookeeper(auth_file=str(file)))

    assert options.credentials == (("digest", "name:pass:word"),)
    assert options.sasl is None


def test_sasl_from_the_environment() -> None:
    """The loader has put the variable's value in place."""
    options = store_options(Zookeeper(auth="name:word", auth_scheme="sasl", creator_only=True))

    assert options.credentials == ()
    assert options.sasl == StoreSasl(username="name", password="word")
    assert options.creator_only


@pytest.mark.parametrize("text", ["", "name", "name:", ":word"])
def test_half_a_credential_is_refused_without_showing_it(tmp_path: Path, text: str) -> None:
    """The sentence names the file, not what is in it."""
    file = tmp_path / "auth"
    file.write_text(text)

    with pytest.raises(StoreRefusedError) as refused:
        store_options(Zookeeper(auth_file=str(file)))
    assert str(refused.value) == f"{file} does not hold name:password"


def test_nobody_is_shown_a_password() -> None:
    """Options and sections end up in logs and tracebacks."""
    wanted = Zookeeper(auth="name:open sesame", auth_scheme="sasl")
    digest: StoreOptions = store_options(Zookeeper(auth="name:open sesame"))

    sasl = store_options(wanted).sasl
    assert sasl is not None
    taken_out = (wanted.auth, sasl.password, digest.credentials, asdict(store_options(wanted)))
    for shown in (wanted, store_options(wanted), digest, *taken_out):
        assert "sesame" not in f"{shown!r} {shown} {[shown]}"


def test_a_scheme_needs_a_credential(problems: Callable[..., list[str]]) -> None:
    """And so do access control lists; one complaint each."""
    assert problems("auth-scheme: sasl, creator-only: true") == [
        "zookeeper.auth-scheme: needs auth-file or auth",
        "zookeeper.creator-only: needs auth-file or auth",
    ]
    assert problems("auth-scheme: sasl, auth: '${ZK}'", ZK="a:b") == []
    assert problems("auth-scheme: sasl, auth-file: auth") == []


ROLES = "acl: {{launchers: ['{0}'], requestors: ['sasl:zuul']}}"


def test_roles_need_something_to_be_known_by(problems: Callable[..., list[str]]) -> None:
    """A credential, or the certificate of TLS."""
    roles = ROLES.format("sasl:remuda")

    assert problems(roles) == ["zookeeper.acl: needs auth-file, auth or tls"]
    assert problems(f"auth-file: auth, {roles}") == []
    assert "exclude each other" in problems(f"auth-file: auth, creator-only: true, {roles}")[0]


@pytest.mark.parametrize(
    "who",
    ["sasl:remuda", "x509:CN=remuda,O=us", "world:anyone", f"digest:a:{'x' * 27}="],
)
def test_identities(problems: Callable[..., list[str]], who: str) -> None:
    """As ZooKeeper knows them."""
    assert problems(f"auth-file: auth, {ROLES.format(who)}") == []


@pytest.mark.parametrize("who", ["remuda", "auth:", "world:all", "digest:remuda:password", "ip:x"])
def test_what_is_no_identity(problems: Callable[..., list[str]], who: str) -> None:
    """A password where its hash should be, above all, which is then not shown."""
    (said,) = problems(f"auth-file: auth, {ROLES.format(who)}")

    assert said.startswith("zookeeper.acl.launchers[0]: is not an identity of ZooKeeper; ")
    assert who not in said


def test_roles_go_to_the_store() -> None:
    """As they are."""
    acl = Roles(launchers=("sasl:a",), requestors=("sasl:b", "sasl:c"))
    options = store_options(Zookeeper(auth="name:word", auth_scheme="sasl", acl=acl))

    assert options.roles == StoreRoles(launchers=("sasl:a",), requestors=("sasl:b", "sasl:c"))


def test_a_name_unchecked_goes_to_the_store(tmp_path: Path) -> None:
    """And only if it is said."""
    where = {name: str(tmp_path / name) for name in ("cert", "key", "ca")}
    checked = store_options(Zookeeper(tls=Tls(**where))).tls
    unchecked = store_options(Zookeeper(tls=Tls(**where, check_hostname=False))).tls

    assert checked is not None
    assert checked.check_hostname
    assert unchecked is not None
    assert not unchecked.check_hostname


def test_file_and_environment_exclude_each_other(problems: Callable[..., list[str]]) -> None:
    """Nobody knows which holds."""
    assert problems("auth-file: auth, auth: '${ZK}'", ZK="a:b") == [
        "zookeeper: has auth-file and auth, which exclude each other: keep one"
    ]


@pytest.mark.parametrize("value", ["plainpassword", "name:", ":word", ""])
def test_what_the_environment_gives_must_be_a_credential(
    problems: Callable[..., list[str]], value: str
) -> None:
    """Said by the check, not by a launcher that does not start; and never shown."""
    assert problems("auth: '${ZK}'", ZK=value) == [
        "zookeeper.auth: the environment does not give name:password"
    ]


def test_a_password_in_the_configuration_is_a_problem(problems: Callable[..., list[str]]) -> None:
    """The file is read by many; whatever the password is, it is not shown again."""
    said = (
        "zookeeper.auth: a password must not stand in this file; "
        "write ${NAME} and set it in the environment, or use auth-file"
    )

    assert problems("auth: 'name:word'") == [said]
    assert problems("auth: plainpassword") == [said]
    assert problems("auth: 'name:${ZK}'", ZK="word") == []


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"plainpassword\n", "does not hold name:password in its first line"),
        (b"\nname:word\n", "does not hold name:password in its first line"),
        (b"n\xff:word\n", "is not UTF-8 text (byte 1)"),
    ],
)
def test_a_file_without_a_credential_is_a_problem(tmp_path: Path, raw: bytes, said: str) -> None:
    """Where it can be read; where it cannot, that is the one complaint."""
    secret = tmp_path / "zk-auth"
    secret.touch(mode=0o600)
    file = tmp_path / "remuda.yaml"
    file.write_text(TEXT.format("auth-file: zk-auth"))
    secret.write_bytes(raw)
    (wrong,) = read(file, environ={}).problems
    secret.unlink()
    (gone,) = read(file, environ={}).problems

    assert wrong.message == f"{str(secret)!r} {said}"
    assert "does not exist" in gone.message
