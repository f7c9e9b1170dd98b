"""Nights in which nothing changes, the two ways to an image, and how long `verify` takes."""

import time
from pathlib import Path
from typing import Final

from click.testing import CliRunner

from remuda.cli.context import CommandContext
from remuda.cli.image.difference import diff
from remuda.cli.image.verify import verify
from remuda.model.image import BuildId
from remuda.store import paths
from tests.bench.figures import Figure, median, ms
from tests.bench.images_stage import BUILD_S, UNLIMITED, ImageStage, step
from tests.e2e.test_image_provenance import make_keys
from tests.support.stage import Doc

IMAGE: Final = "base"
VERIFY_S_MAX: Final = 1.0
#: Each second night starts from the base: both ways are gone.
FULL_EVERY: Final = 2
_ROUNDS: Final = 7
#: Files, links, an account and a list of packages: what recipes leave. Both ways write it anew.
_WORK: Final = """\
mkdir -p /opt/tool/bin
for n in 1 2 3 4 5 6 7 8; do echo "tool $n" >"/opt/tool/bin/$n"; done
ln -sfn /opt/tool/bin/1 /usr/local/bin/tool
grep -q ^tool: /etc/passwd || echo 'tool:x:4711:4711::/opt/tool:/bin/false' >>/etc/passwd
date >/var/log/tool-made
"""


def measure(folder: Path, *, quick: bool) -> list[Figure]:
    """Let nights pass, each of a minute, and compare what has come of them."""
    nights = 2 if quick else 4
    with ImageStage(folder) as stage:
        _prepare(stage)
        stage.current(IMAGE, 1)
        found = [_night(stage, number) for number in range(2, 2 + nights)]
        figures = [_uploads(stage, found), _ways(stage, found), _verify(stage)]
        stage.check_logs()
    return figures


def _prepare(stage: ImageStage) -> None:
    stage.cloud("a", system="minimal", quota=UNLIMITED, boot_seconds=1.0, snapshot_seconds=2.0)
    stage.provider("alpha", "a")
    make_keys(stage.folder)
    stage.config["image-signing"] = {
        "key-file": "signing.pem",
        "public-key-file": "signing.pub",
    }
    stage.image(
        IMAGE,
        step(_WORK, root=True),
        schedule={"max-age": "1m", "jitter": "1m"},
        freshness="1h",
        **{"start-from": "current", "full-every": FULL_EVERY},
    )
    stage.launcher("alpha")
    stage.builder()


def _night(stage: ImageStage, number: int) -> Doc:
    """Wait for a night's build to have come to an end, whatever that is; return it."""

    def ended() -> Doc | None:
        found = stage.build(IMAGE, number)
        return found if found.get("state") in ("same", "built", "failed") else None

    found = stage.until(ended, f"night {number - 1}", BUILD_S)
    assert found is not None
    return found


def _uploads(stage: ImageStage, nights: list[Doc]) -> Figure:
    numbers = range(2, 2 + len(nights))
    uploads = [
        one for number in numbers for one in stage.children(paths.uploads(BuildId(IMAGE, number)))
    ]
    states = [one["state"] for one in nights]
    return Figure(
        name=f"uploads of {len(nights)} nights without a change",
        bound="0",
        measured=str(len(uploads)),
        ok=not uploads and states == ["same"] * len(nights),
        details={"states": states, "took_s": [one["ended_s"] - one["started_s"] for one in nights]},
    )


def _ways(stage: ImageStage, nights: list[Doc]) -> Figure:
    """Compare what is in builds that started from the current one, and from the base."""
    made = [stage.build(IMAGE, 1), *nights]
    base = {one["inventory"] for one in made if one.get("parent") is None}
    delta = {one["inventory"] for one in made if one.get("parent") is not None}
    gone = sum(one.get("parent") is not None for one in made)
    return Figure(
        name="inventories of the delta way and of the way from the base",
        bound="equal",
        measured=f"{len(base | delta)} in {gone} and {len(made) - gone} builds",
        ok=len(base) == 1 and base == delta,
        details={
            "base": sorted(base),
            "delta": sorted(delta),
            # Machines of the sandbox show the files of its host: whoever installs something
            # there meanwhile is found here.
            "other": {
                number: _diff(stage, number)
                for number, one in enumerate(made, 1)
                if one["inventory"] != made[0]["inventory"]
            },
        },
    )


def _diff(stage: ImageStage, number: int) -> str:
    """Return what is other in a build than in the first one."""
    context = CommandContext(zookeeper=stage.hosts[0])
    words = [f"{IMAGE}/1", f"{IMAGE}/{number}"]
    return CliRunner().invoke(diff, words, obj=context).output


def _verify(stage: ImageStage) -> Figure:
    """Have the first build verified: records, inventory, signature, scripts, and its cloud."""
    context = CommandContext(zookeeper=stage.hosts[0], config=stage.folder / "remuda.yaml")
    took_s = []
    for _ in range(_ROUNDS):
        begun_s = time.perf_counter()
        done = CliRunner().invoke(verify, [f"{IMAGE}/1", "--json"], obj=context)
        took_s.append(time.perf_counter() - begun_s)
        assert done.exit_code == 0, done.output
        assert '"unknown"' not in done.stdout, done.stdout
    return Figure(
        name="image verify, without the start of Python",
        bound=f"< {VERIFY_S_MAX:g} s",
        measured=ms(median(took_s)),
        ok=median(took_s) < VERIFY_S_MAX,
        details={"took_s": took_s},
    )
