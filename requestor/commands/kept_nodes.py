"""Keeping nodes for a shell script, until it gives them back or ends."""

import os
import select
import stat
import sys
from typing import Final

from remuda.model import node as node_record
from remuda.model.codec import CorruptRecordError
from remuda.model.ids import NodeId
from remuda.model.node import NodeState
from remuda.runtime.clock import Clock
from remuda.store import paths
from remuda.store.api import Store, StoreAwayError
from requestor.commands.ending import Ending
from requestor.nodeset import NodeSet

#: In ``user_data`` of a node in use: `remuda release` may mark it used, and we shall notice.
KEPT: Final = "kept"
#: After ZooKeeper did not answer, look again.
_RETRY_S: Final = 2.0


class Wakeup:
    """Lets other threads end a wait for file descriptors: a pipe. Thread-safe.

    The pipe stays open as long as the process: a late callback must not write to a descriptor
    that is somebody else's by then.
    """

    def __init__(self) -> None:
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def poke(self) -> None:
        """Wake the waiter; never blocks."""
        try:
            os.write(self._write, b"!")
        except BlockingIOError:
            return  # full of pokes already

    def fileno(self) -> int:
        """Return what becomes readable."""
        return self._read

    def clear(self) -> None:
        """Take all pokes."""
        try:
            while os.read(self._read, 4096):
                pass
        except BlockingIOError:
            return


class Keeper:
    """Holds nodes until the first of: their release, a process's end, end of input, a time.

    Args:
        store: To look at the nodes.
        wakeup: Poked when the session is lost.
        until_pid: End with this process; None: with none.
        until_input_ends: End when standard input ends, if it is a pipe or a terminal.
        keep_s: End after this; None: never.
        ending: End when a signal asks for it.
        clock: The time.
    """

    def __init__(
        self,
        store: Store,
        wakeup: Wakeup,
        *,
        until_pid: int | None,
        until_input_ends: bool,
        keep_s: float | None,
        ending: Ending,
        clock: Clock,
    ) -> None:
        self._store = store
        self._ending = ending
        self._wakeup = wakeup
        self._clock = clock
        self._end_s = None if keep_s is None else clock.monotonic_s() + keep_s
        self._until_input_ends = until_input_ends and _input_ends_meaningfully()
        self._pid_fd: int | None = None
        self._pid_gone = False
        if until_pid is not None:
            try:
                self._pid_fd = os.pidfd_open(until_pid)
            except ProcessLookupError:
                self._pid_gone = True

    def keep(self, nodes: NodeSet) -> None:
        """Wait; nodes that somebody marked used are given back one by one.

        Raises:
            NodesLostError: If the session is lost.
            EndedError: When a signal asks us to end.
        """
        self._ending.on_asked(self._wakeup.poke)
        poll = select.poll()
        poll.register(self._wakeup, select.POLLIN)
        if self._pid_fd is not None:
            poll.register(self._pid_fd, select.POLLIN)
        if self._until_input_ends:
            poll.register(sys.stdin, select.POLLIN)
        while not self._pid_gone:
            self._ending.check()
            calm = self._let_go(nodes)
            nodes.check()
            if not any(node.valid for node in nodes):
                return
            ready = {fd for fd, _ in poll.poll(self._timeout_ms(calm=calm))}
            self._wakeup.clear()
            self._ending.check()
            if self._pid_fd in ready or (not ready and self._is_over()):
                return  # whether ZooKeeper answers or not
            if self._until_input_ends and sys.stdin.fileno() in ready and not _more_input():
                return

    def _is_over(self) -> bool:
        return self._end_s is not None and self._clock.monotonic_s() >= self._end_s

    def _timeout_ms(self, *, calm: bool) -> float | None:
        rest_s = None if self._end_s is None else max(0.0, self._end_s - self._clock.monotonic_s())
        if not calm:
            rest_s = _RETRY_S if rest_s is None else min(rest_s, _RETRY_S)
        return None if rest_s is None else rest_s * 1000.0

    def _let_go(self, nodes: NodeSet) -> bool:
        """Unlock nodes that are not in use any more; say whether ZooKeeper answered."""
        for node in nodes:
            if not node.valid:
                continue
            try:
                stored = self._store.watch_once(paths.node(node.id), self._wakeup.poke)
                if stored is None or not _in_use(node.id, stored.value):
                    node.release()
            except StoreAwayError:
                return False
        return True


def _in_use(node_id: str, raw: bytes) -> bool:
    try:
        return node_record.decode(NodeId(node_id), raw).state is NodeState.IN_USE
    except CorruptRecordError:
        return True  # somebody writes nonsense; what we hold stays ours


def _input_ends_meaningfully() -> bool:
    """Say whether the end of standard input can be news: /dev/null ends before it begins."""
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or sys.stdin.isatty()


def _more_input() -> bool:
    """Throw away what came; say whether more may come."""
    return bool(os.read(sys.stdin.fileno(), 4096))
