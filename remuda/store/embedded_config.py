"""How the embedded ZooKeeper server is configured, as values and as its two files."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

HOST: Final = "127.0.0.1"

#: Records that the server keeps in memory besides the tree itself. By default these are the last
#: 500 transactions, for followers, of which it has none, and the last 400 answers: with the largest
#: records, a quarter of a gigabyte.
_LOG_COUNT: Final = 10
_ANSWERS_COUNT: Final = 50
#: Requests of more than this count as large, and so many bytes of them may wait at a time;
#: connections with more are closed.
_LARGE_BYTES: Final = 128 * 1024
_LARGE_BYTES_MAX: Final = 32 * 1024 * 1024

_LOG4J: Final = """\
log4j.rootLogger=WARN, FILE
log4j.appender.FILE=org.apache.log4j.FileAppender
log4j.appender.FILE.File={log}
log4j.appender.FILE.layout=org.apache.log4j.PatternLayout
log4j.appender.FILE.layout.ConversionPattern=%d{{ISO8601}} %-5p %c{{1}} - %m%n
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerTls:
    """What the server needs to speak TLS and to require certificates of its clients.

    Attributes:
        key_and_cert: PEM file with the server's private key and its certificate.
        ca: PEM file with the authorities that sign the clients' certificates.
    """

    key_and_cert: Path
    ca: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """How to run the server.

    Attributes:
        folder: Where data, configuration and log go; survives a restart.
        port: Port for plaintext; 0 picks a free one.
        tls: If given, a second port speaks TLS.
        tick_ms: ZooKeeper's unit of time; sessions are checked once per tick.
        session_s_min: Shortest session a client may ask for.
        session_s_max: Longest session a client may ask for.
        heap_mib: Limit of Java's heap. What is stored takes about its size of it, and as much again
            while it is read and written.
        users: Names and passwords of those who may log in by SASL; with any, nobody else gets
            in.
        start_s_max: How long to wait for the server to answer.
        fsync: Whether a write waits for the disk; tests and demos need not.
    """

    folder: Path
    port: int = 0
    tls: ServerTls | None = None
    users: Mapping[str, str] = field(default_factory=dict, repr=False)
    tick_ms: int = 500
    session_s_min: float = 1.0
    session_s_max: float = 300.0
    heap_mib: int = 512
    start_s_max: float = 30.0
    fsync: bool = False


def zoo_cfg(options: ServerOptions, *, port: int, tls_port: int) -> str:
    """Return the server's configuration."""
    lines = [
        f"dataDir={options.folder / 'data'}",
        f"clientPortAddress={HOST}",
        f"clientPort={port}",
        f"tickTime={options.tick_ms}",
        f"minSessionTimeout={round(options.session_s_min * 1000)}",
        f"maxSessionTimeout={round(options.session_s_max * 1000)}",
        "maxClientCnxns=0",
        "4lw.commands.whitelist=ruok,srvr,mntr,conf",
        "autopurge.snapRetainCount=3",
        "autopurge.purgeInterval=1",
        "preAllocSize=1024",
    ]
    if options.tls:
        lines += [
            "serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory",
            f"secureClientPort={tls_port}",
            f"secureClientPortAddress={HOST}",
            f"ssl.keyStore.location={options.tls.key_and_cert}",
            "ssl.keyStore.type=PEM",
            f"ssl.trustStore.location={options.tls.ca}",
            "ssl.trustStore.type=PEM",
            "ssl.clientAuth=need",
        ]
    if options.users:
        lines += [
            "authProvider.sasl=org.apache.zookeeper.server.auth.SASLAuthenticationProvider",
            "sessionRequireClientSASLAuth=true",
        ]
    return "\n".join(lines) + "\n"


def memory_flags() -> list[str]:
    """Return Java's flags that bound what the server keeps besides the tree."""
    return [
        f"-Dzookeeper.commitLogCount={_LOG_COUNT}",
        f"-Dzookeeper.maxResponseCacheSize={_ANSWERS_COUNT}",
        f"-Dzookeeper.largeRequestThreshold={_LARGE_BYTES}",
        f"-Dzookeeper.largeRequestMaxBytes={_LARGE_BYTES_MAX}",
    ]


def jaas_conf(users: Mapping[str, str]) -> str:
    """Return Java's login configuration; a secret, as it holds the passwords.

    Names and passwords are written in quotes and must have none.
    """
    lines = [f'  user_{name}="{password}"' for name, password in users.items()]
    module = "org.apache.zookeeper.server.auth.DigestLoginModule required"
    return "\n".join(["Server {", f"  {module}", *lines]) + ";\n};\n"


def log4j_properties(log: Path) -> str:
    """Return a logging configuration: warnings, to the file *log*."""
    return _LOG4J.format(log=log)
