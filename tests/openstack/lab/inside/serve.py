"""Run one OpenStack service in this process: serve.py keystone|placement|glance|neutron|swift|nova.

The services are plain WSGI applications; cheroot serves them in threads. Nova's conductor,
scheduler and compute run in the process of its API: oslo.messaging's transport within a process
(``fake://``) connects all four, and no broker is needed. Swift is made for green threads and has a
server of its own (``labswift.py``).
"""

import importlib
import logging
import os
import sys
from pathlib import Path
from typing import Any

from gate import Gate

_HERE = Path(__file__).resolve().parent
_LOG = logging.getLogger("lab.serve")
_THREADS = 16
_QUEUE = 256
_IDLE_S = 60
#: With cheroot's own limit of ten, busy clients would have to connect anew for every call.
_KEPT_MAX = 200


def application(service: str) -> Any:
    """Return a service's WSGI application, made by its own code."""
    if service == "nova":
        return _nova()
    return importlib.import_module(f"{service}.wsgi.api").application


def _nova() -> Any:
    from nova import monkey_patch  # noqa: PLC0415 - it decides what all later imports do

    monkey_patch.patch(backend="threading")
    # Reading this module parses nova.conf and sets up RPC, so it comes before the others.
    made = importlib.import_module("nova.wsgi.osapi_compute").application
    import nova.virt  # noqa: PLC0415
    import os_vif  # noqa: PLC0415
    from nova import objects, service  # noqa: PLC0415
    from nova.compute import rpcapi as compute  # noqa: PLC0415
    from nova.conductor import rpcapi as conductor  # noqa: PLC0415
    from nova.scheduler import rpcapi as scheduler  # noqa: PLC0415

    nova.virt.__path__.append(str(_HERE))  # Nova loads only drivers below nova.virt
    objects.register_all()
    os_vif.initialize()
    for binary, topics in (
        ("nova-conductor", {"topic": conductor.RPC_TOPIC}),
        ("nova-scheduler", {"topic": scheduler.RPC_TOPIC}),
        ("nova-compute", {"topic": compute.RPC_TOPIC, "topic_alt": compute.RPC_TOPIC_ALT}),
    ):
        # A compute host that belongs to no cell yet is found by the scheduler later.
        service.Service.create(binary=binary, **topics).start()
        _LOG.warning("%s started", binary)
    return made


def _swift() -> None:
    import labswift  # noqa: PLC0415 - no other service has Swift's libraries in it

    state = Path(os.environ["LAB_STATE"])
    labswift.serve(state, int(os.environ["LAB_PORT"]), lambda app: Gate(app, "swift", state))


def reap() -> None:
    """As PID 1 of a namespace, run the service in a child and reap whatever gets orphaned."""
    child = os.fork()
    while child:
        pid, status = os.wait()
        if pid == child:
            os._exit(os.waitstatus_to_exitcode(status) & 255)


def main(service: str) -> None:
    """Serve until killed."""
    sys.argv = [service]  # the services parse the command line themselves
    if service == "swift":
        _swift()
        return
    from cheroot import wsgi  # noqa: PLC0415 - after Nova's monkey patches would be too late

    try:
        app = Gate(application(service), service, Path(os.environ["LAB_STATE"]))
    except BaseException:
        logging.getLogger().exception("%s cannot start", service)
        os._exit(1)  # threads of the service would keep us alive
    server = wsgi.Server(
        ("127.0.0.1", int(os.environ["LAB_PORT"])),
        app,
        numthreads=_THREADS,
        request_queue_size=_QUEUE,
        timeout=_IDLE_S,
        server_name="127.0.0.1",
    )

    def complain(msg: str = "", level: int = logging.INFO, *, traceback: bool = False) -> None:
        _LOG.log(level, msg, exc_info=traceback)

    server.error_log = complain
    server.keep_alive_conn_limit = _KEPT_MAX
    try:
        server.start()
    finally:
        os._exit(0)


if __name__ == "__main__":
    if os.getpid() == 1:
        reap()
    main(sys.argv[1])
