"""A crowd that comes again and again, whatever happens; and one that dies in mid-use."""

import random
import sys
import threading
from pathlib import Path
from typing import Final

from requestor import Client, RequestFailedError, RequestorError, StoreAwayError, connect
from tests.support.processes import Process

_NODES_MAX: Final = 3
_CANCELS: Final = 0.15
_WORK_S_MAX: Final = 0.3
#: Longer than anything that a storm does to a request.
_PATIENCE_S: Final = 300.0


class Regular(threading.Thread):
    """Asks for one to three machines, works for a moment, gives them back, and asks again.

    Attributes:
        jobs: How often it was done.
        lost: How often it lost its session or its promise, as outages will have it.
        trouble: What must not happen whatever the outage.
    """

    def __init__(self, hosts: tuple[str, ...], root: str, seed: int) -> None:
        super().__init__(name=f"regular {seed}", daemon=True)
        self._hosts = hosts
        self._root = root
        self._draws = random.Random(seed)  # noqa: S311 - repeatable
        self._over = threading.Event()
        self.jobs = 0
        self.lost = 0
        self.trouble: list[str] = []

    def run(self) -> None:
        """Come until told to stop; after a lost session with a new one."""
        while not self._over.is_set():
            try:
                with connect(self._hosts, chroot=self._root) as client:
                    while not self._over.is_set():
                        self._job(client)
            except RequestFailedError as exc:
                self.trouble.append(str(exc))
            except (RequestorError, StoreAwayError):  # as is documented, and met in an outage
                self.lost += 1

    def _job(self, client: Client) -> None:
        pending = client.request({"small": self._draws.randint(1, _NODES_MAX)})
        if self._draws.random() < _CANCELS:
            pending.cancel()
            return
        pending.wait(_PATIENCE_S)
        with pending.accept() as nodes:
            self._over.wait(self._draws.uniform(0.0, _WORK_S_MAX))
            nodes.check()
        self.jobs += 1

    def stop(self) -> None:
        """Tell it to come no more."""
        self._over.set()


def goner(hosts: tuple[str, ...], root: str, folder: Path) -> Process:
    """Start somebody who says ``working`` and never gives anything back: to be killed."""
    return Process.python(
        "goner", "tests.chaos.crowd", ",".join(hosts), root, log=folder / "goner.log"
    )


def main() -> None:
    """Take one machine, say so, and keep it until killed."""
    hosts, root = sys.argv[1:]
    with connect(hosts, chroot=root, session_s=4.0) as client, client.request("small"):
        sys.stdout.write("working\n")
        sys.stdout.flush()
        threading.Event().wait(_PATIENCE_S)


if __name__ == "__main__":
    main()
