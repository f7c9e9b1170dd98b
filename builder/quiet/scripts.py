"""The phases as scripts for a connection, and the judges of what they print; pure.

The text is always the same (``sh/*.sh``, in one piece). What is wanted travels in the environment,
which goes through the connection's standard input: nothing is quoted into a program, and no
argument or file of the machine holds a secret.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

from builder.quiet.identity import Identity, same_identity
from builder.quiet.kinds import CLONE_KINDS, Kind, Residue, quiet_kinds, say
from builder.quiet.needles import make_needles
from builder.quiet.reports import REPORT_CHARS_MAX, BadReportError, Phase, PhaseReport, read_report
from remuda.model.codec import quote
from remuda.ssh.api import Heard, Script
from remuda.visible import visible

#: In this order: main.sh begins to work as soon as it is read.
PARTS: Final = (
    *("common", "prepare", "checklist", "secrets", "identity", "clone", "quiet", "inventory"),
    "main",
)
#: Beyond the limits of its single waits a phase may take this long: thousands of files.
_WORK_S: Final = 300.0
_KEY: Final = re.compile(r"[A-Za-z0-9+/=]{16,8192}", re.ASCII)
_PATH: Final = re.compile(r"/[^\n\0]{1,4095}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Traces:
    """What a build may have left on a machine, besides what every machine has.

    Attributes:
        host_keys: Public lines, one of which the connection was proven with: only a machine that
            has it in /etc/ssh is touched, never one whose files a container or test shares.
        login_keys: Public lines by which the build logs in; they must open nothing.
        secrets: Values of the steps, and private host keys that were injected.
        build_only: Absolute paths that only the build needs.
        kept: Kinds that the recipe wants to stay.
        search_limit_s: How long all files may be searched for secrets.
    """

    host_keys: tuple[str, ...]
    login_keys: tuple[str, ...]
    secrets: tuple[str, ...] = field(default=(), repr=False)
    build_only: tuple[str, ...] = ()
    kept: frozenset[Kind] = frozenset()
    search_limit_s: float = 600.0


def prepare_script(*, cloud_init_limit_s: float = 600.0, lock_limit_s: float = 300.0) -> Script:
    """Return the script that waits until nobody else is at work on a fresh machine.

    Each wait has its limit; :func:`read_prepare` tells which of them ended it.
    """
    environment = (
        ("REMUDA_CLOUD_INIT_LIMIT", str(round(cloud_init_limit_s))),
        ("REMUDA_LOCK_LIMIT", str(round(lock_limit_s))),
    )
    limit_s = cloud_init_limit_s + lock_limit_s
    return _script((Phase.PREPARE,), limit_s, environment, read_prepare)


def identity_script() -> Script:
    """Return the script that records what tells the machine from others: before it is quieted."""
    return _script((Phase.IDENTITY,), 0.0, (), read_identity)


def quiet_script(traces: Traces) -> Script:
    """Return the script that makes a machine quiet, asserts it, and gives free blocks back.

    Nobody logs in after it. It fails if anything is found; :func:`read_quiet` says all of it.

    Raises:
        ValueError: *traces* cannot be looked for, or not left in an image; the message says why.
    """
    return _asserting((Phase.QUIET, Phase.ASSERT, Phase.TRIM), traces)


def assert_script(traces: Traces) -> Script:
    """Return the script that only looks; see :func:`quiet_script`."""
    return _asserting((Phase.ASSERT,), traces)


def clone_script(build: Identity, traces: Traces) -> Script:
    """Return the check of a clone, for the prover that admits nodes.

    It fails if anything is found, or if the clone has anything in common with *build*.

    Args:
        build: Of the machine that the image was made on.
        traces: Of the build.

    Raises:
        ValueError: As :func:`quiet_script`.
    """

    def judge(output: str) -> tuple[Residue, ...]:
        who, clone = read_clone(output)
        theirs = who.identity or Identity()  # read_clone has seen one
        return (*same_identity(build, theirs), *clone.residues)

    return _script(
        (Phase.IDENTITY, Phase.CLONE), traces.search_limit_s, _environment(traces), judge
    )


def read_prepare(output: str) -> PhaseReport:
    """Return the report of :func:`prepare_script`.

    Raises:
        BadReportError: There is no whole one.
    """
    return read_report(output, Phase.PREPARE)


def read_identity(output: str) -> PhaseReport:
    """Return the report of :func:`identity_script`; unless it failed it has an identity.

    Raises:
        BadReportError: There is no whole one.
    """
    return read_report(output, Phase.IDENTITY)


def read_quiet(output: str, kept: Iterable[Kind] = ()) -> PhaseReport:
    """Return the assertion's report of :func:`quiet_script` and :func:`assert_script`.

    If the quieting itself gave up there is no other report, and its own is returned.

    Raises:
        BadReportError: There is no whole one.
    """
    if f"remuda\tbegin\t{Phase.QUIET}\t" in output:
        quieted = read_report(output, Phase.QUIET)
        if quieted.failure is not None:
            return quieted
    return read_report(output, Phase.ASSERT, (*quiet_kinds(kept), Kind.SECRET))


def read_clone(output: str) -> tuple[PhaseReport, PhaseReport]:
    """Return who the clone is, and what it has.

    Raises:
        BadReportError: There are no whole reports.
    """
    return (
        read_identity(output),
        read_report(output, Phase.CLONE, (*CLONE_KINDS, Kind.SECRET)),
    )


@cache
def text() -> str:
    """Return the program."""
    folder = Path(__file__).parent / "sh"
    return "".join((folder / f"{part}.sh").read_text(encoding="ascii") for part in PARTS)


def _asserting(phases: tuple[Phase, ...], traces: Traces) -> Script:
    return _script(
        phases,
        traces.search_limit_s,
        _environment(traces),
        lambda output: read_quiet(output, traces.kept),
    )


def _script(
    phases: tuple[Phase, ...],
    limit_s: float,
    environment: tuple[tuple[str, str], ...],
    read: Callable[[str], PhaseReport | tuple[Residue, ...]],
) -> Script:
    """Return a script whose exit code 0 is believed only with a whole report that says the same."""

    def judge(heard: Heard) -> str:
        try:
            said = read(heard.output)
        except BadReportError as exc:
            return visible(str(exc))
        if not isinstance(said, PhaseReport):
            return say(said)
        if said.failure is not None:
            return f"{said.failure.kind}: {visible(said.failure.about)}"
        return say(said.residues)

    words = " ".join(phases)
    return Script(
        name=phases[0],
        text=text(),
        timeout_s=limit_s + _WORK_S,
        output_bytes_max=REPORT_CHARS_MAX,
        as_root=True,
        environment=(("REMUDA_PHASES", words), *environment),
        judge=judge,
    )


def _environment(traces: Traces) -> tuple[tuple[str, str], ...]:
    for path in traces.build_only:
        if not _PATH.fullmatch(path) or ".." in path.split("/"):
            raise ValueError(f"{quote(path)} is not the absolute path of a file")
    return (
        ("REMUDA_QUIET_KINDS", " ".join(quiet_kinds(traces.kept))),
        ("REMUDA_CLONE_KINDS", " ".join(CLONE_KINDS)),
        ("REMUDA_HOST_KEYS", "\n".join(_blob(line) for line in traces.host_keys)),
        ("REMUDA_LOGIN_KEYS", "\n".join(_blob(line) for line in traces.login_keys)),
        ("REMUDA_BUILD_ONLY", "\n".join(traces.build_only)),
        ("REMUDA_SEARCH_LIMIT", str(round(traces.search_limit_s))),
        ("REMUDA_NEEDLES", make_needles(traces.secrets)),
    )


def _blob(line: str) -> str:
    """Return what tells one public key from another, whatever options and comment stand around."""
    words = line.split()
    at = next((i for i, word in enumerate(words) if word.startswith(("ssh-", "ecdsa-", "sk-"))), -1)
    if at < 0 or at + 1 >= len(words) or not _KEY.fullmatch(words[at + 1]):
        raise ValueError(f"{quote(line)} is not the line of a public key")
    return words[at + 1]
