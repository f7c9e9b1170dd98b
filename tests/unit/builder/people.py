"""Everybody else: launches that come and go, and people who give commands."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from remuda.images import moves, revoking, writes
from remuda.images.moves import MoveRefusedError
from remuda.images.writes import NotBootableError
from remuda.model import launch as launches
from remuda.model.build import UNDER_WAY, Build, encode_build
from remuda.model.capture import Capture, CaptureAsk
from remuda.model.ids import NodeId, ReplicaId
from remuda.model.image import BuildId, UploadId, Word, encode_image
from remuda.model.lastuse import LastUse, encode_last_use
from remuda.model.launch import Launch, Step
from remuda.store import paths
from remuda.store.api import Create, Delete, Op, Set
from tests.unit.builder.setting import PLACES, Setting, split


class People(Setting):
    """What goes on around builders.

    Attributes:
        wanted_s: When requests last began to come for what is made on first use.
    """

    wanted_s = 0.0

    def use(self) -> None:
        """Let launches come and go; each finds its image in the cloud."""
        if not self.calm:
            self.use_first()
        for (image, provider), stored in sorted(self.known.pointers.items()):
            if image == "first":
                continue
            number = stored.value.served(self.now_s)
            if number is not None and self.rng.random() < 0.3:
                self.launch(UploadId(BuildId(image, number), stored.value.place), provider)
        self.jobs()
        for provider, one in list(self.known.launches):
            if one.image_build is None:
                continue
            upload_id = UploadId(BuildId(*split(one.image_build or "")), one.image_place or "")
            upload = self.known.uploads[upload_id].value
            assert upload.cloud_image in self.images, "5: what is booted is there"
            candidates = [run.name for run in self.running]
            if str(upload_id) not in candidates and self.rng.random() < 0.3:
                self.commit([Delete(path=paths.launch(provider, one.id))])

    def use_first(self) -> None:
        """Let requests come for what is made on first use, now and then, and its recipe change."""
        policy = self.policies["first"]
        if self.rng.random() < 0.01:
            changed = self.rng.choice("fgh")
            self.policies["first"] = policy = replace(policy, fingerprint=changed)
        self.wanted_s = self.now_s if self.rng.random() < 0.02 else self.wanted_s
        if self.now_s > self.wanted_s + 600.0 or self.rng.random() < 0.7:
            return
        stored, use = self.known.uses.get("first"), LastUse(image="first", at_s=self.now_s)
        data, path = encode_last_use(use), paths.last_use("first")
        if stored is None:
            self.commit([Create(path=path, data=data)])
        elif (stored.value.at_s or 0.0) + 60.0 < self.now_s:
            self.commit([Set(path=path, data=data, version=stored.version)])
        for (image, provider), pointer in sorted(self.known.pointers.items()):
            number = pointer.value.served(self.now_s)
            build = self.known.builds.get(BuildId(image, number or 0))
            if image == "first" and build and build.value.fingerprint == policy.fingerprint:
                self.launch(UploadId(build.value.id, pointer.value.place), provider)

    def jobs(self) -> None:
        """Let jobs ask for images of their machines, and end; launchers note what is begun."""
        if not self.calm and self.rng.random() < 0.1:
            self.job()
        for provider, one in list(self.known.launches):
            if one.capture is None:
                continue
            path, build = paths.launch(provider, one.id), self.captured(one)
            ended = build is not None and build.state not in UNDER_WAY
            if (ended or not self.calm) and self.rng.random() < (0.3 if ended else 0.01):
                self.commit([Delete(path=path)])
            elif build is not None and one.capture.build is None and self.rng.random() < 0.5:
                noted = replace(one, capture=replace(one.capture, build=build.id))
                self.commit([Set(path=path, data=launches.encode(noted), version=-1)])

    def job(self) -> None:
        """Let a job hold a machine, and its launcher have taken what it asks."""
        self.count += 1
        ask = CaptureAsk(
            image="left", token=f"t{self.count}", contender="c", at_s=round(self.now_s, 3)
        )
        one = Launch(
            id=NodeId(f"{3_000_000_000 + self.count}"),
            pool="main",
            label="x",
            step=Step.DONE,
            owner=ReplicaId("l"),
            planned_s=self.now_s,
            asked_by_s=self.now_s,
            capture=Capture(ask=ask, requestor="ci"),
        )
        path = paths.launch(self.rng.choice(sorted(PLACES)), one.id)
        self.commit([Create(path=path, data=launches.encode(one))])

    def captured(self, one: Launch) -> Build | None:
        """Return the build that is made of a job's machine, if one was begun."""
        builds = (stored.value for stored in self.known.builds.values())
        asked = "" if one.capture is None else one.capture.ask.token
        return next((b for b in builds if b.captured and b.captured.token == asked), None)

    def holds(self, build: Build) -> bool:
        """Whether the job holds the machine still that a build is made of."""
        machine = build.captured
        return machine is None or any(one.id == machine.node for _, one in self.known.launches)

    def command(self) -> None:
        """Let somebody give a command."""
        word = Word(who="ada", why="y", at_s=self.now_s)
        provider = self.rng.choice(sorted(PLACES))
        image = self.rng.choice(sorted(self.policies))
        shelf = self.known.shelf(image, provider, PLACES[provider])
        number = self.rng.randint(1, 12)
        verbs: list[Callable[[], Any]] = [
            lambda: moves.rollback(shelf, word),
            lambda: moves.promote(shelf, None, word),
            lambda: moves.pin(shelf, number, word, until_s=self.now_s + 500),
            lambda: moves.unpin(shelf, word),
        ]
        verb = self.rng.randrange(len(verbs) + 3)
        try:
            if verb < len(verbs):
                after = verbs[verb]()
                seen = {one: self.known.seen(one) for one in writes.named(after)}
                self.commit(writes.move(self.known.pointers.get((image, provider)), after, seen))
            elif verb == len(verbs):
                self.revoke(BuildId(image, number), word)
            elif verb == len(verbs) + 1:
                self.wanted(image, word)
            else:
                self.unwanted(BuildId(image, number), word)
        except (MoveRefusedError, NotBootableError):
            return

    def revoke(self, build_id: BuildId, word: Word) -> None:
        """Let somebody revoke a build, or give it back."""
        builds = {one: stored.value for one, stored in self.known.builds.items()}
        shelves = [self.known.shelf(*key, PLACES[key[1]]) for key in sorted(self.known.pointers)]
        back = build_id in builds and builds[build_id].revoked is not None
        after = (revoking.restore if back else revoking.revoke)(builds, shelves, build_id, word)
        ops: list[Op] = []
        for one in after.builds:
            stored = self.known.builds[one.id]
            ops.append(Set(path=stored.path, data=encode_build(one), version=stored.version))
        for pointer in after.pointers:
            before = self.known.pointers[pointer.image, pointer.provider]
            new = writes.named(pointer) - writes.named(before.value)
            ops += writes.move(before, pointer, {one: self.known.seen(one) for one in new})
        if len({op.path for op in ops}) == len(ops):  # else somebody revokes again
            self.commit(ops)

    def wanted(self, image: str, word: Word) -> None:
        """Let somebody want a build."""
        stored = self.known.images[image]
        after = replace(stored.value, wanted=word, wanted_above=stored.value.last_build)
        self.commit([Set(path=stored.path, data=encode_image(after), version=stored.version)])

    def unwanted(self, build_id: BuildId, word: Word) -> None:
        """Let somebody delete a build."""
        stored = self.known.builds.get(build_id)
        if stored is not None:
            after = replace(stored.value, unwanted=word)
            self.commit([Set(path=stored.path, data=encode_build(after), version=stored.version)])
