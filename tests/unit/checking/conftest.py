"""A provider to check, its cloud and its machines, all in memory."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from launcher.checking.findings import Findings, State
from launcher.checking.means import Means
from launcher.policy import compile_policy
from remuda.config.loader import load
from remuda.ssh.hostkeys import make_host_key
from tests.fakes.clock import ManualClock
from tests.fakes.cloud import FakeCloud
from tests.fakes.glance import FakeGlance
from tests.fakes.image_store import FakeImages
from tests.fakes.inspection import FakeInspector
from tests.fakes.prover import FakeProver

CHECKS = {"checks": [{"name": "mine", "script": {"inline": "exit 0"}}]}


class Bench:
    """Everything that a check meets, and what it says of it.

    Attributes:
        doc: The configuration; change it before :meth:`means`.
        told: The progress that was shown.
        stop_after: So many pauses later the user presses Ctrl-C; None: never.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = ManualClock()
        self.cloud = FakeCloud(self.clock)
        self.cloud.networks = ("private",)
        self.inspector = FakeInspector(self.cloud)
        self.images = FakeImages(self.cloud, FakeGlance())
        self.prover = FakeProver()
        self.told: list[str] = []
        self.pauses = 0
        self.stop_after: int | None = None
        key = folder / "node-key"
        key.write_text(make_host_key().private)
        key.chmod(0o600)
        self.doc = {
            "labels": {"small": {}, "tested": CHECKS},
            "providers": {
                "east": {
                    "cloud": "osic",
                    "ssh-key-file": "node-key",
                    "pools": {
                        "main": {
                            "max-servers": 3,
                            "networks": ["private"],
                            "labels": {
                                "small": {"image": "debian-12", "flavor": "small"},
                                "tested": {"image": "debian-12", "flavor": "large"},
                            },
                        }
                    },
                }
            },
        }

    @property
    def pool(self) -> dict[str, object]:
        """The pool's section."""
        pool: dict[str, object] = self.doc["providers"]["east"]["pools"]["main"]  # type: ignore[index]
        return pool

    def means(self) -> Means:
        """Return what to check with, by the configuration as it is now."""
        path = self.folder / "remuda.yaml"
        path.write_text(yaml.safe_dump(self.doc))
        return Means(
            policy=compile_policy(load(path, environ={}), "east"),
            cloud=self.cloud,
            inspector=self.inspector,
            images=self.images,
            prover=self.prover,
            clock=self.clock,
            run="r1",
            pause=self._pause,
            stopped=lambda: self.stop_after is not None and self.pauses >= self.stop_after,
            tell=self.told.append,
        )

    def _pause(self, seconds: float) -> None:
        self.pauses += 1
        self.clock.advance(seconds)

    def empty(self) -> bool:
        """Whether nothing is left in the cloud."""
        self.clock.advance(60.0)
        return not self.cloud.truth() and not self.images.list_images()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A good cloud and two labels."""
    return Bench(tmp_path)


def texts(out: Findings, state: State) -> dict[str, str]:
    """Return what was found by subject, of one verdict."""
    return {one.subject: one.text for one in out.lines if one.state is state}


@pytest.fixture
def problems() -> Callable[[Findings], dict[str, str]]:
    """A function that returns the problems by subject."""
    return lambda out: texts(out, State.PROBLEM)


@pytest.fixture
def warnings() -> Callable[[Findings], dict[str, str]]:
    """A function that returns the warnings by subject."""
    return lambda out: texts(out, State.WARNING)
