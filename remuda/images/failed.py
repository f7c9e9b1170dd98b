"""Failed builds: whose failure it was, what they have in common, and what was other before. Pure.

A mirror that does not answer is told from a recipe that is wrong by the words of those programs
that fetch: the same build may pass an hour later, and nobody has to mend anything.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from remuda.model.build import ACHIEVED, Blame, Build, BuildState
from remuda.model.fields import one_line
from remuda.model.image import BuildId
from remuda.model.upload import Upload, UploadState

#: So much of the end of an output is looked at: who fetched in vain, and then had it from
#: elsewhere, has mostly printed more since.
_LINES_MAX: Final = 15
_LINE_CHARS_MAX: Final = 400
_SIGNATURE_CHARS_MAX: Final = 160
#: In small letters, as libc, apt, dnf, wget, busybox, npm and git write it: nobody else does.
_FETCH_FAILED: Final = (
    "temporary failure resolving",
    "could not resolve host",
    "unable to resolve host address",
    "bad address '",
    "getaddrinfo eai_again",
    "getaddrinfo enotfound",
    "remote end hung up unexpectedly",
    "hash sum mismatch",
    "file has unexpected size",
    "all mirrors were tried",
    "no more mirrors to try",
    "cannot download repomd.xml",
    "failed to download metadata for repo",
)
#: What tests and services print, too: they count where somebody says that he fetches.
_UNANSWERED: Final = (
    *("temporary failure in name resolution", "name or service not known", "no such host"),
    *("connection timed out", "connect timed out", "operation timed out", "read timed out"),
    *("connection refused", "connection reset", "network is unreachable", "no route to host"),
    *("failed to connect", "unable to connect", "could not connect", "tls handshake timeout"),
    *("i/o timeout", "econnreset", "econnrefused", "etimedout", "remote end closed connection"),
    *("500 internal server error", "502 bad gateway", "503 service unavailable"),
    *("503  service unavailable", "504 gateway time", "429 too many requests"),
)
_FETCHES: Final = re.compile(
    r"^(?:e|err|w|curl|wget|fatal)\b|^npm err!|^error response from daemon"
    r"|\b(?:https?|ftp)://|httpsconnectionpool|urllib3|awaiting response|dial tcp|could not fetch"
)
#: Who asks his own machine asks no mirror.
_OWN_MACHINE: Final = re.compile(r"\blocalhost\b|\b127\.|\[?::1\]?")
#: What differs between two failures that are one: names of temporary files, hashes, numbers.
_CHANGING: Final = re.compile(
    r"\btmp[._]?[a-z0-9_]{6,16}\b|\b0x[0-9a-f]{1,64}"
    r"|\b(?=[a-f]{0,63}[0-9])[0-9a-f]{7,64}\b|[0-9]{1,20}"
)
#: Uploads of a build that came to nothing.
_VAIN: Final = frozenset({UploadState.REJECTED, UploadState.FAILED})


def blame_of(output: str) -> Blame:
    """Return whose failure a step was that has ended with this *output*.

    A guess by the last lines. Where it is wrong, the alarm comes after some failures instead of
    the first one, or the other way round; nothing else depends on it.
    """
    lines = output[-_LINES_MAX * _LINE_CHARS_MAX :].splitlines()[-_LINES_MAX:]
    some = (line[:_LINE_CHARS_MAX].strip().lower() for line in lines)
    return Blame.MIRROR if any(map(_in_vain, some)) else Blame.RECIPE


def _in_vain(line: str) -> bool:
    """Whether a line says that something was not fetched."""
    if _OWN_MACHINE.search(line):
        return False
    if any(words in line for words in _FETCH_FAILED):
        return True
    return any(words in line for words in _UNANSWERED) and _FETCHES.search(line) is not None


def signature(build: Build) -> str | None:
    """Return what tells the failure of a build from others, one line; None: none is on record."""
    mishap = build.mishap
    if mishap is None:
        return None
    return one_line(_CHANGING.sub("#", mishap.said.lower()), _SIGNATURE_CHARS_MAX)


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureGroup:
    """Failed builds of an image that failed alike.

    Attributes:
        builds: Their numbers, the newest first.
        said: Where the newest has failed, and what was said last.
    """

    signature: str
    blame: Blame
    builds: tuple[int, ...]
    said: str


def grouped(failed: Iterable[Build]) -> list[FailureGroup]:
    """Return failed builds by what they have in common, the group of the newest first."""
    groups: defaultdict[str, list[Build]] = defaultdict(list)
    for build in sorted(failed, key=lambda one: one.id.number, reverse=True):
        found = signature(build)
        if found is not None:
            groups[found].append(build)
    return [_group(found, builds) for found, builds in groups.items()]


def _group(found: str, builds: list[Build]) -> FailureGroup:
    mishap = builds[0].mishap
    assert mishap is not None  # noqa: S101 - a signature is made of it
    numbers = tuple(one.id.number for one in builds)
    return FailureGroup(signature=found, blame=mishap.blame, builds=numbers, said=mishap.said)


def vain(build: Build, uploads: Iterable[Upload]) -> bool:
    """Whether a finished build came to nothing, and not by somebody's command."""
    if build.revoked is not None or build.unwanted is not None:
        return False
    if build.state is BuildState.FAILED:
        return True
    states = [one.state for one in uploads]
    return bool(states) and all(one in _VAIN for one in states)


def last_good(
    builds: Iterable[Build], uploads: Callable[[BuildId], Iterable[Upload]], failed: Build
) -> Build | None:
    """Return the newest build before *failed* that is good, for any of its providers, or None.

    Args:
        builds: Of the image.
        uploads: Returns those of a build.
        failed: The one that is compared.
    """
    good = (
        one
        for one in builds
        if one.id.number < failed.id.number
        and one.state in ACHIEVED
        and set(one.group) & set(failed.group)
        and one.revoked is None
        and not vain(one, uploads(one.id))
    )
    return max(good, key=lambda one: one.id.number, default=None)


def changed_since(good: Build | None, failed: Build) -> str:
    """Say what differs from the last good build: a failure has its reason mostly there."""
    if good is None:
        return "no build of it was good before"
    since = f"since build {good.id.number}, the last good one"
    base = _base_changed(good, failed)
    recipe = good.fingerprint != failed.fingerprint
    if base is None:
        return f"the recipe has changed {since}" if recipe else f"the recipe is as it was {since}"
    if base and recipe:
        return f"base and recipe have changed {since}"
    if base or recipe:
        return f"the {'base' if base else 'recipe'} has changed {since}"
    return f"neither base nor recipe has changed {since}"


def _base_changed(good: Build, failed: Build) -> bool | None:
    """Whether it started from something else; None: it did not come so far, or is elsewhere."""
    if good.provider != failed.provider or (failed.base is None and failed.parent is None):
        return None
    return _start_of(good) != _start_of(failed)


def _start_of(build: Build) -> tuple[object, object]:
    return (None if build.base is None else build.base.id), build.foundation
