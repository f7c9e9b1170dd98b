"""Words on a host that are somebody else's to carry out: systemctl, scp, apt-get.

On each host lies a stand-in that hands its words over and ends with the code that it is told.
"""

import os
import shlex
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.operations.roots import Host

#: Stands for a command; it gives its words to a pipe and waits at another.
_STAND_IN: Final = """\
#!/bin/sh
exec 9>/run/site/lock
flock 9
printf '%s\\0' {name} "$PWD" "$@" >/run/site/asked
read -r code said </run/site/answer
[ -z "$said" ] || echo "$said"
exit "$code"
"""

#: Gets the command, the folder in which it was called, and its words; returns code and output.
Answer = Callable[[str, Path, list[str]], tuple[int, str]]


class Calls:
    """Answers what the stand-ins of one host ask, one after the other, on a thread of its own."""

    def __init__(self, host: Host, names: tuple[str, ...], answer: Answer) -> None:
        self._folder = host.root / "run/site"
        self._folder.mkdir(exist_ok=True)
        self._answer = answer
        for pipe in ("asked", "answer"):
            if not (self._folder / pipe).exists():
                os.mkfifo(self._folder / pipe)
        for name in names:
            file = host.root / "usr/local/sbin" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(_STAND_IN.format(name=shlex.quote(name)))
            file.chmod(0o755)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Let go of the host's root."""
        (self._folder / "asked").write_text("\0")
        self._thread.join()

    def _serve(self) -> None:
        while True:
            words = (self._folder / "asked").read_bytes().decode().split("\0")[:-1]
            if words == [""]:
                return
            try:
                code, said = self._answer(words[0], Path(words[1]), words[2:])
            except Exception as error:  # noqa: BLE001 - it is told to whoever waits for the code
                code, said = 1, f"{type(error).__name__}: {error}"
            line = " ".join(said.split())
            Path(self._folder / "answer").write_text(f"{code} {line}\n")
