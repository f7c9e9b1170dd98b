"""A stage on which images are built: what benches of images have in common."""

import json
from collections.abc import Iterator
from typing import Any

from click.testing import CliRunner

from remuda.cli.context import CommandContext
from remuda.cli.image import moving, revoking
from remuda.model.image import BuildId
from remuda.model.pointer import Pointer, decode_pointer
from remuda.store import paths
from tests.e2e.test_images import builder
from tests.support.processes import Process
from tests.support.stage import Doc, Stage

#: A build is a machine, its snapshot, and a machine that proves it; others may be at work here.
BUILD_S = 180.0
UNLIMITED = {"instances": -1, "cores": -1, "ram": -1, "port": -1, "images": -1}


class ImageStage(Stage):
    """A stage with images."""

    def image(self, name: str, *steps: Doc, **more: Any) -> None:
        """Configure an image; builders read it by themselves."""
        one = {"base": "debian-12", "flavor": "m1.small", "steps": list(steps), **more}
        self.config.setdefault("images", {})[name] = one

    def builder(self) -> Process:
        """Start a builder."""
        return builder(self)

    def pointer(self, image: str, provider: str = "alpha") -> tuple[Pointer, float] | None:
        """Return a pointer, and when it moved by ZooKeeper's clock, which is this machine's."""
        found = self.zk.retry(self.zk.exists, paths.pointer(image, provider))
        if found is None:
            return None
        data, stat = self.zk.retry(self.zk.get, paths.pointer(image, provider))
        return decode_pointer(image, provider, data), stat.mtime / 1000

    def current(self, image: str, number: int, *providers: str) -> float:
        """Wait until a build is current; return when the last of the pointers moved."""

        def moved() -> float | None:
            found = [self.pointer(image, one) for one in providers or ("alpha",)]
            if any(one is None or one[0].served(one[1]) != number for one in found):
                return None
            return max(one[1] for one in found if one is not None)

        return self.until(moved, f"{image}/{number} to become current", BUILD_S) or 0.0

    def build(self, image: str, number: int) -> Doc:
        """Return a build's record, empty if there is none."""
        return self.read(paths.build(BuildId(image, number))) or {}

    def said(self, command: Any, *words: str) -> None:
        """Run a command of `remuda image` in this process: starting Python is not measured.

        Raises:
            AssertionError: If it failed.
        """
        context = CommandContext(zookeeper=self.hosts[0])
        done = CliRunner().invoke(command, [*words, "--json"], obj=context)
        assert done.exit_code == 0, done.output

    def roll_back(self, image: str) -> None:
        """Go back to the build before in all providers; what was current is withdrawn."""
        self.said(moving.rollback, image, "--why", "bench")

    def restore(self, build: str, *providers: str) -> None:
        """Take back that a build was withdrawn; builders make it current again."""
        for provider in providers or ("alpha",):
            self.said(revoking.restore, build, "--provider", provider, "--why", "bench")

    def promote(self, build: str) -> None:
        """Make a build current in all providers."""
        self.said(moving.promote, build, "--why", "bench")

    def journal(self, cloud: str = "a") -> Iterator[Doc]:
        """Yield what a cloud's servers lived through."""
        for line in (self.folder / f"{cloud}.journal").read_text().splitlines(keepends=True):
            if line.endswith("\n"):
                yield json.loads(line)


def step(command: str, *, limit_s: float = 60.0, root: bool = False) -> Doc:
    """Return a step of a recipe."""
    return {"command": command, "timeout": limit_s, "as-root": root}


def first_build(stage: ImageStage, first: str, *others: str) -> None:
    """Configure image base, which one provider makes for all; who boots it has to know it."""
    providers: Doc = {first: None, **{name: {"copy-from": first} for name in others}}
    stage.image("base", step("echo >/srv/proof", root=True), providers=providers)


def second_build(stage: ImageStage, *providers: str) -> None:
    """Wait until the first build is current, and have a second one made and proven."""
    stage.current("base", 1, *providers)
    stage.config["images"]["base"]["steps"] = [step("echo 2 >/srv/proof", root=True)]
    stage.write()
    stage.current("base", 2, *providers)
