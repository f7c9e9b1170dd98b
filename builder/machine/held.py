"""A machine that a builder works on: lent by launchers for that, or a job's own."""

from collections.abc import Callable
from dataclasses import dataclass

from remuda.model.ids import NodeId, ServerId
from remuda.ssh.api import Login


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldMachine:
    """A machine, as long as *check* does not raise.

    Attributes:
        host: Where it runs, as the cloud hides its name, if it says so.
        login_key: Public line of the key that opens it for us.
        check: Does nothing while it is ours to work on; else it raises NodesLostError, if it went
            with our session, or MishapError, if whose it is has let it go.
        boot_s: From when it was first shown running until it was ours, which is once its launcher
            has logged in; as exact as the clocks of both hosts, and as often as it lists servers.
            None: nobody knows, or it was not made for us.
    """

    node: NodeId
    server: ServerId
    host: str | None
    login: Login
    login_key: str
    check: Callable[[], None]
    boot_s: float | None = None
