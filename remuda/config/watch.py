"""Notices that the configuration, or a file it refers to, has changed."""

import os
from collections.abc import Mapping
from pathlib import Path

from remuda.config.loader import Reading, read
from remuda.config.model import Config
from remuda.config.problems import ConfigInvalidError, Problem

#: What tells one state of a file from another without reading it; None: there is none.
_Stamp = tuple[int, int, int, int] | None


class ConfigWatcher:
    """Reads the configuration when asked, but only if it may have changed.

    It has no thread and no timer: the daemon calls ``poll`` at its own pace and at SIGHUP. Editors
    should replace the file rather than write into it: a half-written file may well be valid.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        provider: str | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        """Arguments are those of ``remuda.config.loader.read``; nothing is read yet."""
        self._path = path
        self._provider = provider
        self._environ = environ
        self._reading: Reading | None = None
        self._stamps: Mapping[str, _Stamp] = {}
        self._settled = False
        self._good: Config | None = None

    @property
    def last_good(self) -> Config | None:
        """The newest value that had no problems; a bad file later does not change it."""
        return self._good

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """The warnings of what was read last."""
        return self._reading.warnings if self._reading else ()

    def poll(self, *, force: bool = False) -> Config | ConfigInvalidError | None:
        """Return what is new since the last call; the first call always returns something.

        Costs one stat for each file while nothing changes. A new value may equal the one before:
        then only comments or clouds.yaml have changed, so connections should be made anew.

        Args:
            force: Read the files even if they look unchanged, as after SIGHUP.

        Returns:
            The new value; or what is wrong with it, once for each content; None: nothing new.
        """
        stamps = self._look()
        if self._settled and stamps == self._stamps and not force:
            return None
        reading = read(self._path, provider=self._provider, environ=self._environ)
        changed = self._reading is None or reading.digest != self._reading.digest
        # A file written again within the clock tick of its stamp looks unchanged for ever: so
        # after a change we read once more, and trust the stamps only when that found the same.
        self._settled = not changed
        self._stamps = stamps
        if not changed:
            return None
        self._reading = reading
        if reading.config is None:
            return ConfigInvalidError(reading.problems, reading.warnings)
        self._good = reading.config
        return reading.config

    def _look(self) -> Mapping[str, _Stamp]:
        files = self._reading.files if self._reading else ()
        return {file: _stamp(file) for file in files}


def _stamp(file: str) -> _Stamp:
    try:
        found = Path(file).stat()
    except (OSError, ValueError):
        return None
    # The change time notices a new mode, and content put back with its old modification time.
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino
