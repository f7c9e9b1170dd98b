"""Which system a build machine runs, in the words that scanners for vulnerabilities look up. Pure.

What a machine says of itself is bounded, and no word of it is more than a plain one.
"""

import re
from dataclasses import dataclass
from typing import Any, Final

from remuda.ssh.api import Script

_LIMIT_S: Final = 60.0
_OUTPUT_BYTES_MAX: Final = 64 * 1024
_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~+-]{0,63}", re.ASCII)
_WORDS_MAX: Final = 100

#: Prints a line for each word that is known: its name, a blank, and the word as it is written.
_ASK: Final = """\
#!/bin/sh
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
has() { command -v "$1" >/dev/null 2>&1; }
for file in /etc/os-release /usr/lib/os-release; do
    if [ -r "$file" ]; then
        sed -n -e 's/^ID=/id /p' -e 's/^VERSION_ID=/version /p' "$file"
        break
    fi
done
if has dpkg-query && [ -s /var/lib/dpkg/status ]; then
    echo 'packages deb'
elif [ -f /lib/apk/db/installed ] || [ -f /usr/lib/apk/db/installed ]; then
    echo 'packages apk'
elif has pacman && [ -d /var/lib/pacman ]; then
    echo 'packages alpm'
elif has rpm; then
    echo 'packages rpm'
fi
exit 0
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Which system it is; None: the machine does not say.

    Attributes:
        id: ``ID`` of os-release, e.g. *debian*; version: ``VERSION_ID``, e.g. *12*.
        packages: Of which kind packages are, as package URLs call it: deb, rpm, apk or alpm.
    """

    id: str | None = None
    version: str | None = None
    packages: str | None = None

    def doc(self) -> dict[str, Any]:
        """Return what is known, as a part of a statement."""
        known = {"id": self.id, "version": self.version, "packages": self.packages}
        return {key: value for key, value in known.items() if value is not None}


def release_script() -> Script:
    """Return the script that asks a machine."""
    return Script(name="release", text=_ASK, timeout_s=_LIMIT_S, output_bytes_max=_OUTPUT_BYTES_MAX)


def read_release(output: str) -> Release:
    """Return what a machine has said; what is said twice, or is no plain word, is not known."""
    said: dict[str, list[str]] = {}
    for line in output.splitlines()[:_WORDS_MAX]:
        key, _, value = line.partition(" ")
        said.setdefault(key, []).append(value.strip().strip("\"'"))

    def one(key: str) -> str | None:
        found = said.get(key, [])
        return found[0] if len(found) == 1 and _WORD.fullmatch(found[0]) else None

    return Release(id=one("id"), version=one("version"), packages=one("packages"))
