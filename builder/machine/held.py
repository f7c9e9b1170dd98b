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
    """

    node: NodeId
    server: ServerId
    host: str | None
    login: Login
    login_key: str
    check: Callable[[], None]
