"""Which configuration a process has, in a word: for people who compare what failed when."""

import hashlib
from typing import Final

from remuda.config.model import Config
from remuda.redaction import redact

_DIGITS: Final = 12


def revision_of(config: Config) -> str:
    """Return a short hash of what is configured; files that are read, such as scripts, are in it.

    Two processes with the same file have the same. What looks to be a secret is left out before
    anything is hashed: a short word could be tried against the hash.
    """
    shown = redact("config", config.model_dump(mode="json"))
    return hashlib.sha256(_text(shown).encode(errors="replace")).hexdigest()[:_DIGITS]


def _text(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{key!r}:{_text(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_text, value)) + "]"
    return repr(value)
