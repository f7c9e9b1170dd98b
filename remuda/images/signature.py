"""What a failed build has in common with others: its step and what was said last. Pure.

A mirror that does not answer is told from a recipe that is wrong by the words of those programs
that fetch: the same build may pass an hour later, and nobody has to mend anything.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from remuda.model.build import Blame, Build
from remuda.model.fields import one_line

#: So much of the end of an output is looked at.
_LINES_MAX: Final = 40
_LINE_CHARS_MAX: Final = 400
_SIGNATURE_CHARS_MAX: Final = 160
#: In small letters. Of libc and systemd's resolver, apt, dnf, zypper, apk, curl, wget, git, pip,
#: npm, Go and Docker, as they write when a name, a connection or an answer does not come.
_FETCH_FAILED: Final = (
    "temporary failure in name resolution",
    "temporary failure resolving",
    "could not resolve host",
    "could not resolve hostname",
    "name or service not known",
    "unable to resolve host address",
    "bad address '",
    "getaddrinfo eai_again",
    "getaddrinfo enotfound",
    "no such host",
    "connection timed out",
    "connect timed out",
    "operation timed out",
    "read timed out",
    "connection refused",
    "connection reset by peer",
    "network is unreachable",
    "no route to host",
    "failed to connect to",
    "unable to connect to",
    "tls handshake timeout",
    "i/o timeout",
    "econnreset",
    "econnrefused",
    "etimedout",
    "remote end closed connection",
    "remote end hung up unexpectedly",
    "the proxy tunnel request to",
    "500 internal server error",
    "502 bad gateway",
    "503 service unavailable",
    "503  service unavailable",
    "504 gateway time-out",
    "504 gateway timeout",
    "429 too many requests",
    "hash sum mismatch",
    "file has unexpected size",
    "all mirrors were tried",
    "no more mirrors to try",
    "cannot download repomd.xml",
    "failed to download metadata for repo",
)
#: What differs between two failures that are one: numbers, hashes, dates, file names by chance.
_CHANGING: Final = re.compile(r"0x[0-9a-f]{1,64}|[0-9a-f]{8,64}|[0-9]{1,20}")


def blame_of(output: str) -> Blame:
    """Return whose failure a step was that has ended with this *output*.

    Only its end is looked at: what a program fetched in vain and then had from elsewhere is no
    reason.
    """
    lines = output[-_LINES_MAX * _LINE_CHARS_MAX :].splitlines()[-_LINES_MAX:]
    fetched = any(
        words in line[:_LINE_CHARS_MAX].lower() for line in lines for words in _FETCH_FAILED
    )
    return Blame.MIRROR if fetched else Blame.RECIPE


def signature(build: Build) -> str | None:
    """Return what tells the failure of a build from others, one line; None: none is on record."""
    mishap = build.mishap
    if mishap is None:
        return None
    said = one_line(mishap.message, _SIGNATURE_CHARS_MAX)
    return one_line(f"{mishap.step}: {_CHANGING.sub('#', said.lower())}", _SIGNATURE_CHARS_MAX)


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureGroup:
    """Failed builds of an image that failed alike.

    Attributes:
        builds: Their numbers, the newest first.
        last_step_and_words: Where the newest has failed, and what was said last.
    """

    signature: str
    blame: Blame
    builds: tuple[int, ...]
    last_step_and_words: str


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
    return FailureGroup(
        signature=found,
        blame=mishap.blame,
        builds=numbers,
        last_step_and_words=f"{mishap.step}: {mishap.message}",
    )


def changed_since(good: Build | None, failed: Build) -> str:
    """Say what is other than in the last good build: a failure has its reason mostly there."""
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
    return (good.base and good.base.id, good.parent) != (
        failed.base and failed.base.id,
        failed.parent,
    )
