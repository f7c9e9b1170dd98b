"""Build machines whose root is a stranger: a build ends, is no image, and its recipe is not blamed.

No test judges how fast something is: what is not bounded would go on until the peer gives up
(:data:`tests.support.hostile.GIVE_UP_S`), and come to another end.
"""

import base64
import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from builder.build import hand_quiet
from builder.log.build_log import BuildLog
from remuda.images.buildlog import MAKING_ROOM, PART_BYTES
from remuda.known_secrets import KNOWN
from remuda.model.build import Blame, BuildState
from remuda.ssh import runner
from tests.support import attacks
from tests.support.hostile import Peer
from tests.support.liars import (
    HONEST,
    KINDS,
    PHASES,
    QUIET,
    Answer,
    KeptLog,
    Liar,
    connect_to,
    ends_without_a_code,
    floods,
    lying,
    overruns,
    says,
    serve,
)
from tests.unit.builder.handbench import BUILD, PRIVATE_KEY, Bench, recipe, report
from tests.unit.builder.makings import make, mishap

#: Phases without which there is no image; whoever cannot tell what it has is none the less one.
NEEDED = [one for one in PHASES if one not in {"packages", "files"}]
SENTENCE = "to be masked in all logs of this process"
CLOSES: dict[str, Answer] = {
    "hangs up": attacks.closes,
    "ends without a code": ends_without_a_code,
    "overruns": overruns,
}


def _many_keys() -> Iterator[str]:
    """Yield keys that are right in form, and more than can be looked for."""
    for number in range(9):
        digests = (hashlib.sha512(f"{number} {line}".encode()) for line in range(60))
        lines = [base64.b64encode(one.digest()[:48]).decode() for one in digests]
        yield PRIVATE_KEY.replace("k" * 70, "\n".join(lines)) + "\n"


@pytest.fixture(autouse=True)
def no_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let our own limit of a script follow the machine's at once."""
    monkeypatch.setattr(runner, "_GRACE_S", 0.1)


def on(bench: Bench, liar: Liar, *steps: dict[str, Any]) -> None:
    """Let a bench's machine be this one."""
    # All the time in the world, where it is not a limit that ends it.
    fill = {"command": "fill-the-image", "name": "fill", "timeout": "1h"}
    bench.recipe = recipe(*(steps or (fill,)))

    connect_to(bench, liar, answer_timeout_s=600)
    serve(bench, liar.host_key)


def blamed(bench: Bench, liar: Liar, last: str) -> str:
    """Make a build that comes to nothing by the machine's fault, in this phase; return why."""
    make(bench)
    wrong = mishap(bench)

    assert wrong.blame is Blame.MACHINE, wrong
    assert liar.heard[-1] == last
    assert (bench.cloud.calls["stop_server"], bench.images.snapshots) == (0, [])
    return wrong.message


def test_a_machine_that_says_what_is_expected_becomes_an_image(bench: Bench) -> None:
    """Else what follows would prove nothing. It is root's word: nobody can do better over SSH."""
    with lying() as liar:
        on(bench, liar)
        ended = make(bench)

    assert ended.why is None
    assert liar.heard == list(PHASES)
    assert bench.build().value.state is BuildState.BUILT


@pytest.mark.parametrize("way", CLOSES)
@pytest.mark.parametrize("phase", PHASES)
def test_a_machine_that_breaks_off_is_to_blame(bench: Bench, phase: str, way: str) -> None:
    """In the middle of any phase, by closing or by breaking the protocol."""
    with lying(**{phase: CLOSES[way]}) as liar:
        on(bench, liar)
        blamed(bench, liar, phase)


@pytest.mark.parametrize("phase", ["prepare", "identity", "quiet"])
@pytest.mark.parametrize(
    "lie",
    [
        lambda _: "",
        lambda honest: honest * 2,
        lambda honest: honest[: len(honest) // 2],
        lambda honest: honest.replace("remuda\tend", "remuda\tresidue"),
        lambda honest: honest.replace("\t0\n", "\t1\n"),
        lambda honest: f"remuda\t\x1b[2J\u202e\t-\t-\n{honest}remuda\tend\n",
        lambda honest: "x" * (2 << 20) + honest[:40],
    ],
    ids=["none", "twice", "half", "no end", "another count", "odd lines", "huge"],
)
def test_exit_code_0_is_believed_only_with_a_whole_report(
    bench: Bench, phase: str, lie: Callable[[str], str]
) -> None:
    """Whatever else it says."""
    with lying(**{phase: says(lie(HONEST[phase]))}) as liar:
        on(bench, liar)
        why = blamed(bench, liar, phase)

    assert "\x1b" not in why
    assert len(why) < 1000


def test_reports_in_the_output_of_a_step_are_none(bench: Bench) -> None:
    """A step may print what it likes, too early, and the whole of it."""
    everything = "".join(HONEST.values())
    with lying(step=says(everything), quiet=says("")) as liar:
        on(bench, liar)
        blamed(bench, liar, "quiet")

    assert QUIET in bench.log.text


def test_a_report_of_quieting_alone_is_no_assertion(bench: Bench) -> None:
    """Nor is the assertion of fewer rules than were wanted."""
    few = report("quiet") + report("assert", kinds=KINDS[1:])
    with lying(quiet=says(few)) as liar:
        on(bench, liar)
        assert "not the rules that were wanted" in blamed(bench, liar, "quiet")


@pytest.mark.parametrize("lie", [attacks.output_for_ever, attacks.falls_silent, floods])
def test_a_machine_that_nobody_can_end_is_to_blame(bench: Bench, lie: Answer) -> None:
    """It dribbles, is silent or floods beyond the limit of its step; it was asked to end it."""
    with lying(step=lie) as liar:
        on(bench, liar, {"command": "fill-the-image", "timeout": "3s"})
        log = bench.log if lie is not floods else _Counting()
        bench.log = log
        why = blamed(bench, liar, "step")

        assert liar.ended.is_set()
    assert "no end after 3 s, and the machine did not kill it" in why


def test_a_machine_that_breaks_the_protocol_is_not_tried_again(bench: Bench) -> None:
    """A step's retries are for mirrors; the connection is gone."""
    with lying(step=overruns) as liar:
        on(bench, liar, {"command": "fill-the-image", "timeout": "1h", "retries": 5})
        blamed(bench, liar, "step")

    assert liar.heard.count("step") == 1


def test_a_command_that_never_closes_ends_with_its_exit_code(bench: Bench) -> None:
    """Though it goes on printing."""
    with lying(step=says("done\n", stays=True)) as liar:
        on(bench, liar)
        ended = make(bench)

    assert ended.why is None


def test_a_flood_takes_no_more_room_in_the_log_than_there_is(bench: Bench) -> None:
    """However much comes; the machine's own folder is not meant."""
    seen: list[int] = []

    def flood(peer: Peer) -> None:
        begun, ended = peer.answers()
        peer.shell.sendall(begun)
        piece = b"flood \x1b[2J\xe2\x80\xae\n" * 4096
        for _ in range(200):  # of 60 KiB
            peer.shell.sendall(piece)
        peer.shell.sendall(ended)
        peer.shell.send_exit_status(0)
        peer.shell.close()

    with lying(step=flood) as liar:
        on(bench, liar, {"command": "fill-the-image", "timeout": "1h"})
        bench.put_build()
        log = BuildLog(bench.others, BUILD, writer="me")
        step = log.step

        def look(name: str) -> None:
            step(name)
            seen.append(sum(map(len, log._pages.parts.values())))

        log.step = look  # type: ignore[method-assign]
        bench.log = KeptLog(log)  # type: ignore[assignment]
        ended = make(bench)
        assert log.settle(60.0)

    assert ended.why is None
    assert PART_BYTES < max(seen) <= (MAKING_ROOM.head_parts + MAKING_ROOM.tail_parts) * PART_BYTES


@pytest.mark.parametrize(
    "shown",
    [
        f"-----BEGIN PRIVATE KEY-----\n{SENTENCE}\n-----END PRIVATE KEY-----\n",
        PRIVATE_KEY.replace("PRIVATE KEY", "EVERYTHING"),
        PRIVATE_KEY.replace("PartOfAKey==", "a b"),
        "-----BEGIN OPENSSH PRIVATE KEY-----\nshort\n-----END OPENSSH PRIVATE KEY-----\n",
        f"-----BEGIN PRIVATE KEY-----\n{'x' * 5000}\n-----END PRIVATE KEY-----\n",
        "".join(_many_keys()),
    ],
    ids=["a sentence", "no key", "no Base64", "too short", "long lines", "too many"],
)
def test_host_keys_that_are_none_are_the_machines_fault(bench: Bench, shown: str) -> None:
    """They would be masked everywhere, and looked for: neither is the recipe's fault."""
    before = len(KNOWN)
    with lying(host_keys=says(shown)) as liar:
        on(bench, liar)
        blamed(bench, liar, "host keys")

    assert KNOWN.mask(SENTENCE, "*") == SENTENCE
    assert len(KNOWN) - before < hand_quiet._HOST_KEYS_BYTES_MAX // 60


def test_a_machine_with_another_key_hears_nothing(bench: Bench) -> None:
    """Neither who we are, nor what would be run."""
    with lying() as liar:
        on(bench, liar)
        serve(bench, _other(liar.host_key))
        make(bench)

    assert mishap(bench).blame is Blame.MACHINE
    assert "the host key is" in mishap(bench).message
    assert liar.heard == []


def _other(line: str) -> str:
    return f"{line[:-4]}AAA="


class _Counting:
    """A log that only counts: a flood is larger than a test may keep."""

    def __init__(self) -> None:
        self.closed, self.ok, self.size, self.text = False, None, 0, ""

    def step(self, name: str) -> None:
        """Leave it out."""

    def write(self, data: bytes) -> None:
        """Count it."""
        self.size += len(data)

    def close(self, *, ok: bool | None = None) -> None:
        """Note it."""
        self.closed, self.ok = True, ok
