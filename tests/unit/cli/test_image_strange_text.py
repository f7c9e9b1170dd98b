"""Records of images and logs of builds whose texts mean harm: none of it reaches a terminal."""

import json

import click
import pytest

from builder.log.build_log import BuildLog
from remuda.cli.image.building import build
from remuda.cli.image.for_builders import delete, pause
from remuda.cli.image.logs import log
from remuda.cli.image.moving import pin, promote, rollback
from remuda.cli.image.overview import list_images, show
from remuda.cli.image.revoking import revoke
from remuda.model.build import Base, Blame, BuildState, Mishap, Revocation
from remuda.model.ids import ReplicaId
from remuda.model.image import UploadId, Word
from remuda.model.pointer import Pin
from remuda.model.upload import Trial, TrialResult, UploadState
from remuda.store import paths
from tests.support.imageharness import PLACES, ImageHarness
from tests.unit.cli.test_strange_text import LEGIBLE, NASTY, steering

WORD = Word(who=f"ada{LEGIBLE}", why=LEGIBLE, at_s=1.0)
MISHAP = Mishap(step=LEGIBLE, blame=Blame.RECIPE, message=LEGIBLE)
TRIAL = Trial(result=TrialResult.FAILED, why=LEGIBLE, hosts=(LEGIBLE,))


@pytest.fixture
def harness() -> ImageHarness:
    """An image every text of which is nasty."""
    harness = ImageHarness()
    harness.shelf(1, 2, 3)
    harness.image(last_build=5, wanted=WORD, paused=WORD)
    harness.build(1, unwanted=WORD)
    harness.build(2, revoked=Revocation(word=WORD))
    harness.build(3, providers=[])
    harness.build(
        4, providers=[], state=BuildState.FAILED, mishap=MISHAP, fingerprint=LEGIBLE[:200]
    )
    base = Base(id="7f3d", name=LEGIBLE, hash=LEGIBLE[:200])
    build_id = harness.build(
        5, base=base, owner=LEGIBLE[:200], group=(LEGIBLE[:200], "alpha", "beta")
    )
    harness.upload(
        build_id, "beta", state=UploadState.REJECTED, trials={"beta": TRIAL}, mishap=MISHAP
    )
    harness.upload(build_id, "alpha", trials={LEGIBLE[:200]: TRIAL}, sha256=LEGIBLE[:200])
    harness.pointer(3, provider="alpha", pinned=Pin(number=3, word=WORD), withdrawn={3: WORD})
    harness.node("3000000001", UploadId(build_id, PLACES["alpha"]))
    harness.put(paths.pointer("debian", "be\u202eta"), b"nonsense")
    harness.builder(
        waits={"debian/5": LEGIBLE, f"debian/5 in {LEGIBLE}"[:200]: LEGIBLE, "debian": LEGIBLE},
        alarms={"debian": (LEGIBLE,)},
        providers={"debian": (LEGIBLE[:200], "alpha")},
    )
    harness.put(paths.builder(ReplicaId("b\u202e2")), b"nonsense")
    one = BuildLog(harness.zookeeper.connect(), build_id, writer="me")
    one.step(NASTY)
    one.write(NASTY.encode(errors="surrogatepass") + b"\n" + LEGIBLE.encode())
    one.close()
    assert one.settle(60)
    trial = BuildLog(harness.zookeeper.connect(), build_id, writer="me", provider="alpha")
    trial.step(NASTY)
    trial.write(LEGIBLE.encode())
    trial.close()
    assert trial.settle(60)
    return harness


@pytest.mark.parametrize("form", [(), ("--json",)])
@pytest.mark.parametrize(
    ("command", "words"),
    [
        (list_images, ()),
        (show, ("debian",)),
        (show, ("debian/4",)),
        (show, ("debian/5",)),
        (log, ("debian/5",)),
        (log, ("debian/5", "--follow")),
        (log, ("debian/5", "--provider", "alpha")),
        (log, ("debian/5", "--provider", NASTY)),
        (rollback, ("debian",)),
        (promote, ("debian/2",)),
        (promote, ("debian", "--provider", NASTY)),
        (pin, ("debian/1", "--until", NASTY)),
        (pin, (NASTY,)),
        (pause, ("debian", "--why", LEGIBLE)),
        (delete, ("debian/1",)),
        (revoke, ("debian/2",)),
        (revoke, ("debian/3", "--why", LEGIBLE, "--force")),
        (build, ("debian", "--wait")),
        (build, ("debian", "--why", LEGIBLE)),
        (show, (NASTY,)),
    ],
    ids=lambda one: one.name if isinstance(one, click.Command) else None,
)
def test_nothing_steers(
    harness: ImageHarness, command: click.Command, words: tuple[str, ...], form: tuple[str, ...]
) -> None:
    """In tables, in JSON, and in what is refused."""
    result = harness.call(command, *words, *form)

    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    assert steering(result.output) == set()
    assert "\nremuda: all is well" not in result.output
    if form:
        assert result.stdout.isascii()
        for text in result.stdout.splitlines() if command in {log, build} else [result.stdout]:
            if text:
                json.loads(text, parse_constant=pytest.fail)


def test_the_texts_really_are_shown(harness: ImageHarness) -> None:
    """Else the other tests prove nothing."""
    shown = "".join(
        harness.call(command, *words).stdout
        for command, words in ((list_images, ()), (show, ("debian/5",)), (log, ("debian/5",)))
    )

    assert shown.count("\\u202eevil") > 5
