"""Reads a pointer a thousand times a second, and notes each instant without a build to boot.

``python -m tests.bench.images_probe HOSTS IMAGE PROVIDER FILE`` does so until its input ends.
"""

import json
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

from kazoo.client import KazooClient
from kazoo.exceptions import KazooException

from remuda.model.build import decode_build
from remuda.model.image import BuildId, UploadId
from remuda.model.pointer import Pointer, decode_pointer
from remuda.model.upload import UploadState, decode_upload
from remuda.store import paths

_PERIOD_S: Final = 0.001
#: Answers that are still to come; more are not asked for, as while ZooKeeper is away.
_UNDER_WAY: Final = 200


class Probe:
    """The looking side; it counts in the thread that reads ZooKeeper's answers."""

    def __init__(self, hosts: str, image: str, provider: str) -> None:
        self._image, self._provider = image, provider
        self._zk = KazooClient(hosts=hosts, timeout=10.0)
        self._zk.start()
        self._free = threading.Semaphore(_UNDER_WAY)
        self._last: tuple[bytes, Pointer] | None = None
        self.counts: Counter[str] = Counter()
        self.served: Counter[str] = Counter()
        self.bad: list[str] = []

    def run(self, over: threading.Event) -> None:
        """Look until told to stop."""
        path = paths.pointer(self._image, self._provider)
        due_s = time.monotonic()
        while not over.is_set():
            due_s = max(due_s + _PERIOD_S, time.monotonic() - 0.1)
            over.wait(max(0.0, due_s - time.monotonic()))
            if not self._free.acquire(blocking=False):
                self.counts["not asked"] += 1
                continue
            self._zk.get_async(path).rawlink(self._answered)
        self._zk.stop()

    def _answered(self, got: Any) -> None:
        self._free.release()
        try:
            data, _ = got.get()
        except KazooException as exc:
            # Away is no instant without a build: launchers go by what they have mirrored.
            self.counts[type(exc).__name__] += 1
            if type(exc).__name__ == "NoNodeError":
                self.bad.append("no pointer")
            return
        self.counts["read"] += 1
        if self._last is None or data != self._last[0]:
            self._last = (data, self._changed(data))
        number = self._last[1].served(time.time())
        self.served[str(number)] += 1
        if number is None:
            self.bad.append("nothing is served")

    def _changed(self, data: bytes) -> Pointer:
        """Return the pointer as it is now, and look at what it names."""
        pointer = decode_pointer(self._image, self._provider, data)
        self.counts["changes"] += 1
        number = pointer.served(time.time())
        if number is not None:
            self._look_at(BuildId(self._image, number), pointer.place)
        return pointer

    def _look_at(self, build_id: BuildId, place: str) -> None:
        upload_id = UploadId(build_id, place)

        def judge(got: Any) -> None:
            try:
                upload = decode_upload(upload_id, got.get()[0])
            except KazooException as exc:
                self.bad.append(f"{upload_id}: {type(exc).__name__}")
                return
            if upload.state is not UploadState.USABLE or not upload.passed(self._provider):
                self.bad.append(f"{upload_id} is {upload.state}")

        def revoked(got: Any) -> None:
            if decode_build(build_id, got.get()[0]).revoked is not None:
                self.bad.append(f"{build_id} is revoked")

        self._zk.get_async(paths.upload(upload_id)).rawlink(judge)
        self._zk.get_async(paths.build(build_id)).rawlink(revoked)


def main(hosts: str, image: str, provider: str, out: Path) -> None:
    """Look until standard input ends; write what was seen."""
    probe, over = Probe(hosts, image, provider), threading.Event()
    begun_s = time.monotonic()
    thread = threading.Thread(target=probe.run, args=(over,), name="probe")
    thread.start()
    sys.stdin.read()
    over.set()
    thread.join(30.0)
    seen = {
        "seconds": time.monotonic() - begun_s,
        "counts": probe.counts,
        "served": probe.served,
        "bad": probe.bad[:20],
        "bad_count": len(probe.bad),
    }
    out.write_text(json.dumps(seen))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], Path(sys.argv[4]))
