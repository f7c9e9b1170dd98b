"""People who ask for machines, work until they are told to go, and give them back."""

import threading
from collections.abc import Iterable
from typing import Any, Final

from requestor import Client, RequestorError
from tests.support.deadline import wait_for

#: Longer than any scenario: who waits so long has been forgotten.
FOREVER_S: Final = 600.0


class User(threading.Thread):
    """One request, and the work on its machines.

    Attributes:
        working: Set when its machines are in use.
        trouble: What went wrong, if anything.
        state: ``waiting``, ``working``, ``gone``, or ``failed``.
    """

    def __init__(self, client: Client, labels: Any = "small", **wish: Any) -> None:
        super().__init__(name="user", daemon=True)
        self._pending = client.request(labels, **wish)
        self._leave = threading.Event()
        self.working = threading.Event()
        self.trouble = ""
        self.state = "waiting"
        self.nodes: list[str] = []

    @property
    def id(self) -> str:
        """Its request."""
        return self._pending.id

    def run(self) -> None:
        """Wait, work, and give back."""
        try:
            self._pending.wait(FOREVER_S)
            with self._pending.accept() as nodes:
                self.nodes = [node.id for node in nodes]
                self.state = "working"
                self.working.set()
                self._leave.wait(FOREVER_S)
                nodes.check()
            self.state = "gone"
        except RequestorError as exc:
            self.trouble = f"{self.id}: {exc!r}"
            self.state = "failed"

    def leave(self) -> None:
        """Tell it to go as soon as it has its machines."""
        self._leave.set()


def come(client: Client, n: int, labels: Any = "small", **wish: Any) -> list[User]:
    """Let *n* people ask."""
    people = [User(client, labels, **wish) for _ in range(n)]
    for one in people:
        one.start()
    return people


def at_work(people: Iterable[User]) -> list[User]:
    """Return those that have their machines."""
    return [one for one in people if one.state == "working"]


def all_go(people: Iterable[User], deadline_s: float) -> list[str]:
    """Let all go as soon as they were served; return what went wrong."""
    people = list(people)
    for one in people:
        one.leave()
    wait_for(
        lambda: not any(one.is_alive() for one in people), deadline_s, f"{len(people)} people to go"
    )
    return [one.trouble for one in people if one.trouble]
