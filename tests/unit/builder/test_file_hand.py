"""The hand of a build whose file a command writes: its way, its faults, and its ends."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from builder.build.hand_file import SENDINGS_MAX, FileHand, FileInCloud
from builder.hands import blame
from builder.policy import ImagePolicy
from remuda.cloud.api import BadOrderError
from remuda.cloud.image_store import Visibility
from remuda.config import trees
from remuda.config.images import SecretFrom
from remuda.images.statement import part_of, read_statement, subject_in
from remuda.known_secrets import KNOWN
from remuda.model import tags
from remuda.model.build import Blame, Build, BuildState, Mishap, Why, encode_build
from remuda.model.image import UploadId
from remuda.model.upload import Method, UploadState
from remuda.runtime.waiting import HandStoppedError
from remuda.store import paths
from remuda.store.api import Set
from tests.fakes.glance import Transfer
from tests.unit.builder.filebench import DISK, FakeCommands, file_recipe
from tests.unit.builder.handbench import BUILD, OTHER, OWNER, PLACE, PROVIDER, Bench

OTHER_PLACE = "b" * 12


class FileBench(Bench):
    """What the hand needs, with commands that are no processes."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.commands = FakeCommands(folder / "commands")
        self.recipe = file_recipe()
        self.policy = ImagePolicy(
            image="debian", fingerprint="f", groups=((PROVIDER,),), on_host=True
        )
        self.put_build(base=None)
        self.stopped: Callable[[], bool] = lambda: self.stop

    def make(self, **changes: Any) -> str | None:
        """Make the build; return why there is no image, or None."""
        how = {
            "build": self.build(),
            "recipe": self.recipe,
            "policy": self.policy,
            "owner": OWNER,
            "images": self.images,
            **changes,
        }
        hand = FileHand(
            store=self.store, clock=self.clock, commands=self.commands, environ={}, wait=self.wait
        )
        ended = hand.make(FileInCloud(**how), self.log, self.stopped)
        assert self.log.closed
        assert self.log.ok is (ended.why is None)
        return ended.why

    def mishap(self) -> Mishap:
        """Return what is on record of a failure that has left nothing."""
        build = self.build().value
        assert build.mishap is not None
        assert self.images.list_images() == ()
        assert build.owner is None
        return build.mishap


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[FileBench]:
    """Everything in memory but the file."""
    one = FileBench(tmp_path)
    yield one
    assert not list((tmp_path / "commands").glob("*"))
    one.close()


def test_a_file_becomes_an_image_that_nobody_finds(bench: FileBench) -> None:
    """Hidden and ours, with the hash of the file; wanted elsewhere; stated by whom, from what."""
    assert bench.make(also=(OTHER_PLACE,)) is None

    build = bench.build().value
    assert build.state is BuildState.BUILT
    assert build.file is not None
    assert (build.file.size_bytes, build.file.virtual_bytes) == (len(DISK), len(DISK))
    (image,) = bench.images.list_images()
    assert (image.hidden, image.visibility) == (True, Visibility.PRIVATE)
    assert image.name == build.cloud_name
    assert tags.read_image(image.name, image.properties) is not None
    assert bench.glance.kept[image.id].data == DISK
    upload = bench.upload().value
    assert (upload.state, upload.method) == (UploadState.STORED, Method.NATIVE)
    assert (upload.cloud_image, upload.sha256) == (image.id, build.file.sha256)
    assert upload.carried_sha512 == build.file.sha512
    assert bench.upload(OTHER_PLACE).value.state is UploadState.PENDING

    stated = read_statement(bench.store, BUILD)
    assert stated is not None
    assert stated.complete
    assert image.properties[tags.STATEMENT] == stated.digest == build.statement
    assert part_of(subject_in(stated.doc), "digest", "sha256") == build.file.sha256
    assert bench.log.steps[-5:] == ["command", "file", "compare", "upload", "keep"]


def test_a_name_is_on_record_before_the_cloud_is_asked(bench: FileBench) -> None:
    """Whoever comes after a dead builder knows what to look for, and until when."""
    seen: list[Build] = []
    upload = bench.images.upload

    def looked(*args: Any, **how: Any) -> Any:
        seen.append(bench.build().value)
        return upload(*args, **how)

    bench.images.upload = looked  # type: ignore[method-assign]
    assert bench.make() is None
    (before,) = seen
    assert before.state is BuildState.SNAPSHOTTING
    assert before.cloud_name is not None
    assert before.asked_by_s > bench.clock.now_s()
    assert before.file is not None


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "its file is empty"),
        (b"QFI\xfb" + b"\0" * 508, "it is declared to be raw, and is qcow2"),
        (b"#!/bin/sh\n", "no disk of whole sectors"),
    ],
)
def test_what_is_no_image_is_not_sent(bench: FileBench, data: bytes, why: str) -> None:
    """The recipe is to blame: another attempt would write the same."""
    bench.commands.data = data
    assert why in (bench.make() or "")
    assert bench.build().value.state is BuildState.FAILED
    assert bench.mishap().blame is Blame.RECIPE
    assert bench.mishap().step == "file"


def test_a_command_that_fails_has_its_own_blame(bench: FileBench) -> None:
    """As whoever runs it says."""
    bench.commands.error = blame.fail("command", Blame.MIRROR, "it could not fetch")
    assert bench.make() == "command: it could not fetch"
    assert bench.build().value.state is BuildState.FAILED
    assert bench.mishap().blame is Blame.MIRROR


def test_the_builders_stop_gives_the_build_back(bench: FileBench) -> None:
    """It begins anew, of another builder perhaps."""
    bench.commands.error = HandStoppedError()
    assert bench.make() is not None
    assert bench.build().value.state is BuildState.REQUESTED
    assert bench.mishap().blame is Blame.BUILDER


def test_a_file_that_is_replaced_once_it_was_looked_at_is_refused(bench: FileBench) -> None:
    """What is sent has to have the hash that was read."""
    upload = bench.images.upload

    def spoiled(order: Any, path: Path, **how: Any) -> Any:
        path.write_bytes(b"evil" * 256)
        return upload(order, path, **how)

    bench.images.upload = spoiled  # type: ignore[method-assign]
    assert bench.make() is not None
    assert bench.build().value.state is BuildState.REQUESTED
    assert "should have been something else" in bench.mishap().message


def test_a_file_that_grows_while_it_is_read_is_not_read_for_ever(bench: FileBench) -> None:
    """Whoever has cleared his environment may go on writing, and a hole costs him nothing."""
    grown = 0

    def grow() -> bool:
        nonlocal grown
        for path in bench.commands.folder.glob("disk-*"):
            if grown < 50:
                grown += 1
                os.truncate(path, path.stat().st_size + (4 << 20))
        return False

    bench.stopped = grow
    assert bench.make() is not None
    assert "its file changes though the command has ended" in bench.mishap().message
    assert grown < 10


def test_a_transfer_that_breaks_is_begun_again(bench: FileBench) -> None:
    """The command has taken an hour, perhaps: it is not run again for a cut connection."""
    bench.glance.next_transfers += [Transfer.CUT, Transfer.GARBLED]
    asked: list[float] = []
    bench.on_wait = lambda: asked.append(bench.build().value.asked_by_s)
    assert bench.make() is None
    assert len(bench.commands.orders) == 1
    assert len(set(asked)) > 2  # each call's own time is on record
    assert len(bench.images.list_images()) == 1


def test_a_cloud_that_never_takes_it_is_to_blame(bench: FileBench) -> None:
    """The build waits, and begins anew; no verdict on the image."""
    bench.glance.next_transfers += [Transfer.CUT] * SENDINGS_MAX
    assert bench.make() is not None
    assert bench.build().value.state is BuildState.REQUESTED
    assert bench.build().value.file is None
    assert bench.mishap().blame is Blame.CLOUD


def test_what_a_cloud_refuses_is_the_recipes(bench: FileBench) -> None:
    """It would refuse the next one, too."""
    bench.cloud.fail("upload", BadOrderError("fake: HTTP 403"))
    assert bench.make() is not None
    assert bench.mishap().blame is Blame.RECIPE
    assert bench.build().value.state is BuildState.FAILED


def _stopped(bench: FileBench) -> None:
    assert bench.make() is not None
    assert bench.build().value.state is BuildState.REQUESTED
    assert bench.mishap().message == "the builder was stopped"


def test_a_stop_ends_a_transfer_and_leaves_nothing_to_look_for(bench: FileBench) -> None:
    """Whoever goes on begins at once."""
    upload = bench.images.upload

    def stopped(*args: Any, **how: Any) -> Any:
        bench.stop = True
        return upload(*args, **how)

    bench.images.upload = stopped  # type: ignore[method-assign]
    _stopped(bench)


def test_a_stop_between_two_transfers_leaves_nothing_to_look_for(bench: FileBench) -> None:
    """What has failed has left nothing."""
    bench.glance.next_transfers.append(Transfer.CUT)

    def stop() -> None:
        bench.stop = bench.build().value.state is BuildState.SNAPSHOTTING

    bench.on_wait = stop
    _stopped(bench)


def test_what_was_taken_over_is_left_alone(bench: FileBench) -> None:
    """Nothing is written, and what another one may know of is not deleted."""

    def taken(_path: Path) -> None:
        stored = bench.build()
        after = encode_build(replace(stored.value, owner=OTHER))
        bench.others.commit([Set(path=stored.path, data=after, version=stored.version)])

    bench.commands.before = taken
    assert "taken over" in (bench.make() or "")
    assert bench.build().value.owner == OTHER
    assert bench.images.list_images() == ()


def test_a_secret_is_given_by_name_and_masked(bench: FileBench, tmp_path: Path) -> None:
    """One that is not there ends the build before anything runs."""
    file = tmp_path / "token"
    secrets = {"TOKEN": SecretFrom(file=str(file))}
    bench.recipe = file_recipe(command={"secrets": ["TOKEN"]}, secrets=secrets)
    assert bench.make() is not None
    assert bench.commands.orders == []
    assert bench.mishap().blame is Blame.BUILDER

    file.write_text("swordfish-and-more\n")
    bench.put_build(base=None)
    assert bench.make() is None
    assert "".join(bench.commands.orders[0].environment["TOKEN"]) == "swordfish-and-more"
    assert "swordfish" not in KNOWN.mask("a swordfish-and-more b", "…")


def test_what_it_reads_has_to_be_what_was_asked_for(bench: FileBench, tmp_path: Path) -> None:
    """A change while it runs would make an image of which nobody knows from what."""
    read = tmp_path / "elements"
    read.write_text("one")
    bench.recipe = file_recipe(command={"reads": [{"path": str(read)}]})
    bench.policy = ImagePolicy(
        image="debian",
        fingerprint="f",
        groups=((PROVIDER,),),
        on_host=True,
        copied={str(read): trees.read(read)},
    )
    bench.commands.before = lambda _: read.write_text("two") and None
    assert "is not what it was" in (bench.make() or "")
    assert bench.mishap().blame is Blame.BUILDER

    bench.put_build(base=None)
    bench.commands.before = lambda _: read.unlink()
    assert str(read) in (bench.make() or "")

    read.write_text("one")
    read.chmod(0o640)  # as a checkout of somebody else would have it
    bench.put_build(base=None)
    bench.commands.before = lambda _: None
    assert bench.make() is None


def test_a_key_that_cannot_be_read_ends_it_before_anything_runs(
    bench: FileBench, tmp_path: Path
) -> None:
    """What is made could never be verified."""
    assert "signature" in (bench.make(signing_key_file=str(tmp_path / "none")) or "")
    assert bench.commands.orders == []
    assert bench.mishap().blame is Blame.BUILDER


def test_a_night_without_a_change_uploads_nothing(bench: FileBench) -> None:
    """There is something to compare with as soon as something is current; else it is kept."""
    bench.put_build(base=None, why=Why.SCHEDULE)
    assert bench.make(places={PROVIDER: PLACE}) is None
    assert "nothing to compare with" in bench.log.text
    assert bench.others.read(paths.upload(UploadId(BUILD, PLACE))) is not None
