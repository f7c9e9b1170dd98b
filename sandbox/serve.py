"""Running a sandbox: listen on loopback, say so, stop cleanly."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import uvicorn

from sandbox.app import build_app
from sandbox.clock import SystemClock
from sandbox.cloud import Cloud, build_cloud
from sandbox.clouds_yaml import clouds_yaml, write_clouds_yaml
from sandbox.config import Config
from sandbox.host import Host, open_host
from sandbox.journal import Journal
from sandbox.network.banner import BannerListener
from sandbox.web.hangup import HangUpProtocol

_LOG = logging.getLogger(__name__)
_LISTEN_ON = "127.0.0.1"
_BACKLOG = 1024
_GRACE_S = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says; *port* 0: any free one."""

    port: int = 0
    state: Path | None = None
    clouds_yaml: Path | None = None
    journal: Path | None = None


def run(config: Config, options: Options) -> None:
    """Run a sandbox until SIGTERM or SIGINT.

    Raises:
        NoAddressesError: If no address range is free.
        HostUnfitError: If this machine cannot run the kind of machines asked for.
        OSError: If the port cannot be had.
    """
    listener = _listener(options.port)
    host = open_host(config, options.state)
    try:
        asyncio.run(_serve(config, options, listener, host))
    finally:
        host.release()
        listener.close()


def _listener(port: int) -> socket.socket:
    # With the protocol named: asyncio sets TCP_NODELAY only then, and without it every answer
    # of two packets waits 40 ms for the client's delayed ACK.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((_LISTEN_ON, port))
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


async def _serve(config: Config, options: Options, listener: socket.socket, host: Host) -> None:
    base_url = f"http://{_LISTEN_ON}:{listener.getsockname()[1]}"
    # Of the right time, whatever the cloud's own clock says.
    journal = Journal(options.journal, SystemClock()) if options.journal else None
    cloud = build_cloud(config, host, base_url, SystemClock(), journal)
    banner = BannerListener(cloud) if config.banner and host.kind == "none" else None
    server = uvicorn.Server(
        uvicorn.Config(
            build_app(cloud),
            http=HangUpProtocol,
            lifespan="off",
            date_header=False,  # the gate tells the cloud's time
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=_GRACE_S,
            timeout_keep_alive=75,
        )
    )
    # Uvicorn raises the signal again when it is done; it must not end us before we cleaned up.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _noted)
    try:
        if banner:
            await banner.open()
        _announce(config, options, cloud)
        await server.serve(sockets=[listener])
    finally:
        if banner:
            banner.close()
        await cloud.close()
        _LOG.info("sandbox.stopped cloud=%s", config.cloud)


def _noted(_number: int, _frame: FrameType | None) -> None:
    """A signal that uvicorn has already obeyed."""


def _announce(config: Config, options: Options, cloud: Cloud) -> None:
    auth_url, control = cloud.endpoints.auth_url, f"{cloud.endpoints.base_url}/sandbox/v1"
    if options.clouds_yaml:
        write_clouds_yaml(options.clouds_yaml, clouds_yaml(config, auth_url, control))
    _LOG.info(
        "sandbox.listening cloud=%s auth_url=%s control=%s machines=%s"
        " addresses=%s ssh_port=%d clouds_yaml=%s",
        config.cloud,
        auth_url,
        control,
        cloud.host.kind,
        cloud.host.claim.network,
        cloud.host.ssh_port,
        options.clouds_yaml or "-",
    )
