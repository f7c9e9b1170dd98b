"""A journal of all servers' lives, for whoever wants to judge a run when it is over.

One JSON object per line, in the order in which things happened, written at once:

    {"at": 1769817600.123, "event": "made", "region": "RegionOne", "server": "…", "name": "…",
     "metadata": {…}}

``made``: the API said yes; ``deleting``: a deletion was accepted; all else is the name of a state
that was reached, in small letters: ``active``, ``error``, ``shutoff``, ``deleted`` and so on.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

from sandbox.clock import Clock
from sandbox.compute.model import Server


class Journal:
    """Appends to one file; what was noted is in it even if the process is killed."""

    def __init__(self, path: Path, clock: Clock) -> None:
        # Not Python's buffered file: each line is one write at the end of the file.
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self._clock = clock

    def of(self, region: str) -> Callable[[str, Server], None]:
        """Return what is to be told of the servers of *region*."""

        def note(event: str, server: Server) -> None:
            line = {
                "at": self._clock.now_s(),
                "event": event,
                "region": region,
                "server": server.id,
                "name": server.name,
                "metadata": dict(server.metadata),
            }
            os.write(self._file, (json.dumps(line) + "\n").encode())

        return note

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)
