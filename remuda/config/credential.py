"""How we authenticate with ZooKeeper: whether there is a credential, and where it stands."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path as FilePath

from remuda.config.document import Path
from remuda.config.hostfiles import HostFiles
from remuda.config.misspellings import misspelled
from remuda.config.parts import Zookeeper, name_and_password
from remuda.config.raw import mapping
from remuda.config.report import Report
from remuda.config.sources import CONFIG_BYTES_MAX, UnreadableError

_AUTH: Path = ("zookeeper", "auth")
_AUTH_FILE: Path = ("zookeeper", "auth-file")


def check_credential(data: object, host: HostFiles, hidden: AbstractSet[Path]) -> None:
    """Report a credential that is none, stands in the open, or is missing.

    Args:
        data: The whole configuration, file names absolute.
        host: Reads the file, and takes complaints; none shows anything of a credential.
        hidden: What came from the environment.
    """
    zookeeper = mapping(mapping(data).get("zookeeper"))
    _check_presence(zookeeper, host.report)
    auth, file = zookeeper.get("auth"), zookeeper.get("auth-file")
    if isinstance(auth, str) and _AUTH not in hidden:
        host.report.problem(
            _AUTH,
            "a password must not stand in this file",
            "write ${NAME} and set it in the environment, or use auth-file",
        )
    elif isinstance(auth, str) and name_and_password(auth) is None:
        host.report.problem(_AUTH, "the environment does not give name:password")
    if isinstance(file, str):
        _check_file(FilePath(file), host)


def _check_presence(zookeeper: Mapping[str, object], report: Report) -> None:
    """Report ways to authenticate without anything to authenticate with."""
    keys = ("auth", "auth-file")
    known = any(zookeeper.get(key) is not None for key in keys)
    if known or not misspelled(Zookeeper, zookeeper).isdisjoint(keys):
        return
    for key, off in (("auth-scheme", None), ("creator-only", False)):
        if zookeeper.get(key) not in (None, off):
            report.problem(("zookeeper", key), "needs auth-file or auth", at_key=True)
    if zookeeper.get("acl") is not None and zookeeper.get("tls") is None:
        report.problem(("zookeeper", "acl"), "needs auth-file, auth or tls", at_key=True)


def _check_file(file: FilePath, host: HostFiles) -> None:
    try:
        host.sources.probe(file)
    except UnreadableError:
        return  # reported where the file was looked for
    try:
        text = host.sources.read(file, bytes_max=CONFIG_BYTES_MAX)
    except UnreadableError as error:
        host.report.problem(_AUTH_FILE, f"{str(file)!r} {error}")
        return
    if name_and_password(text) is None:
        host.report.problem(
            _AUTH_FILE, f"{str(file)!r} does not hold name:password in its first line"
        )
