"""What a configuration leaves open to others: usable, so only warned of, but said in words.

A ZooKeeper on the loopback is taken for one to try things out with.
"""

from collections.abc import Mapping
from ipaddress import IPv6Address, ip_address
from socket import inet_aton
from typing import Final

from remuda.config.base import switch
from remuda.config.document import Path
from remuda.config.misspellings import misspelled
from remuda.config.parts import Zookeeper
from remuda.config.raw import entries, mapping
from remuda.config.report import Report

_ZOOKEEPER: Final[Path] = ("zookeeper",)


def check_exposure(data: object, report: Report) -> None:
    """Warn of what is not encrypted, not authenticated, or open to everybody."""
    top = mapping(data)
    zookeeper = mapping(top.get("zookeeper"))
    if _remote(zookeeper.get("hosts")):
        unsure = misspelled(Zookeeper, zookeeper)
        if zookeeper.get("tls") is None and "tls" not in unsure:
            _warn_of_no_tls(zookeeper, report)
        if unsure.isdisjoint({"acl", "auth", "auth-file", "creator-only"}):
            _warn_of_open_lists(zookeeper, report)
    if switch(mapping(zookeeper.get("tls")).get("check-hostname")) is False:
        report.warning(
            ("zookeeper", "tls", "check-hostname"),
            "is off: whoever has a certificate of these authorities can be our ZooKeeper",
            "have the servers' certificates name them",
        )
    _warn_of_listening((), top, report)
    for name, provider in entries(top, "providers"):
        _warn_of_listening(("providers", name), provider, report)


def _warn_of_listening(path: Path, section: Mapping[str, object], report: Report) -> None:
    listen = mapping(section.get("web")).get("listen")
    if isinstance(listen, str) and _everywhere(listen):
        report.warning(
            (*path, "web", "listen"),
            "is every address of this host, and the status endpoint asks nobody who they are",
            "listen on 127.0.0.1, or on an address that only your monitoring reaches",
        )


def _warn_of_no_tls(zookeeper: Mapping[str, object], report: Report) -> None:
    said = "has no TLS: whoever is on the way reads and changes all that goes over it"
    if _credential(zookeeper) and zookeeper.get("auth-scheme") in (None, "digest"):
        said += ", and digest sends the password in the clear"
    report.warning(_ZOOKEEPER, said, "add tls", at_key=True)


def _warn_of_open_lists(zookeeper: Mapping[str, object], report: Report) -> None:
    if switch(zookeeper.get("creator-only")):
        return
    acl = mapping(zookeeper.get("acl"))
    if not acl and not _credential(zookeeper):
        report.warning(
            _ZOOKEEPER,
            "has no credential: whoever reaches it may write everything, launch records included",
            "add auth-file, and name launchers and requestors under acl",
            at_key=True,
        )
    elif not acl:
        report.warning(
            _ZOOKEEPER,
            "has no acl: whoever reaches it may write every request and node",
            "name launchers and requestors under acl",
            at_key=True,
        )
    for role in ("launchers", "requestors"):
        named = acl.get(role)
        if isinstance(named, list) and "world:anyone" in named:
            report.warning(
                ("zookeeper", "acl", role),
                "has world:anyone: whoever reaches ZooKeeper has this role",
                "name them one by one",
            )


def _credential(zookeeper: Mapping[str, object]) -> bool:
    return any(zookeeper.get(key) is not None for key in ("auth", "auth-file"))


def _remote(hosts: object) -> bool:
    return isinstance(hosts, list) and not all(
        _loopback(host.rpartition(":")[0].strip("[]")) for host in hosts if isinstance(host, str)
    )


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _everywhere(listen: str) -> bool:
    """Whether a socket that is bound to it hears on every address, however zero is written."""
    try:
        found = ip_address(listen.strip("[]"))
    except ValueError:
        return not listen or _written_zero(listen)
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return (mapped or found).is_unspecified


def _written_zero(listen: str) -> bool:
    """Whether the C library reads it as 0.0.0.0, as it does with ``0`` and ``0x0``."""
    try:
        return not any(inet_aton(listen))
    except (OSError, ValueError):
        return False
