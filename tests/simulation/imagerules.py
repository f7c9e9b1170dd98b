"""What must never happen with images of ours: the oracle's part of it."""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from remuda.cloud.api import ServerSpec
from remuda.model import tags
from remuda.model.build import UNDER_WAY, Build, decode_build
from remuda.model.ids import NodeId
from remuda.model.image import BuildId, UploadId, number_of, parse_upload
from remuda.model.imageask import ImageUse, labelled_image
from remuda.model.launch import Launch
from remuda.model.launch import decode as decode_launch
from remuda.model.pointer import Pointer, decode_pointer
from remuda.model.request import Request
from remuda.model.tally import Sample, Tally, decode_tally
from remuda.model.upload import WHOLE, UploadState, decode_upload
from remuda.store import paths
from remuda.store.api import Check, Create, Op, Set
from tests.simulation.attention import Attention
from tests.simulation.capturerules import CaptureRules
from tests.simulation.firstuse import FIRST
from tests.simulation.history import History
from tests.simulation.imagesetting import Images
from tests.simulation.nights import FULL_EVERY
from tests.simulation.records import Records
from tests.simulation.timetable import Timetable

#: After every change all records of an image are judged anew, and most of them are as before.
_build: Final = lru_cache(1024)(decode_build)
_pointer: Final = lru_cache(1024)(decode_pointer)
_upload: Final = lru_cache(1024)(decode_upload)
_LAUNCH: Final = re.compile(
    re.escape(paths.PROVIDERS) + "/(?P<provider>[^/]+)/launches/(?P<node>[^/]+)"
)
_TALLY: Final = re.compile(
    re.escape(paths.IMAGES) + "/(?P<image>[^/]+)/pointers/(?P<provider>[^/]+)/tally"
)
#: What was never usable, or is not whole; a usable one comes into none of these.
_UNPROVEN: Final = frozenset(UploadState) - {
    UploadState.USABLE,
    UploadState.RETIRING,
    UploadState.DELETING,
}


@dataclass(slots=True)
class ImageRules:
    """Watches what is booted.

    Attributes:
        attention: Of each launcher, by name.
        stored: What lies in the clouds, and what lay there once: uploads by the cloud's id.
        tallied: Launches that are counted, by provider, build and how they went.
        erased: Those among them that are deleted.
        plain: Nodes that were to run a recipe themselves.
    """

    records: Records
    history: History
    timetable: Timetable
    images: Images
    attention: Callable[[str], Attention]
    stored: dict[str, UploadId] = field(default_factory=dict)
    erased: set[str] = field(default_factory=set)
    plain: set[NodeId] = field(default_factory=set)
    tallied: Counter[tuple[str, BuildId, str]] = field(default_factory=Counter)
    captures: CaptureRules = field(init=False)
    _counted: set[NodeId] = field(default_factory=set)
    _states: dict[UploadId, UploadState] = field(default_factory=dict)
    _bad: dict[tuple[UploadId, str, bool], float] = field(default_factory=dict)
    _spoiled: dict[tuple[BuildId, str], float] = field(default_factory=dict)
    _ever_spoiled: set[tuple[BuildId, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Watch captures, too."""
        self.captures = CaptureRules(self.records, self.history)

    # Writes.

    def written(self, ops: Sequence[Op]) -> None:
        """Take note of what a transaction has changed."""
        self._count(ops)
        begins = paths.IMAGES + "/"
        changed = {
            op.path.split("/")[3]
            for op in ops
            if op.path.startswith(begins) and not isinstance(op, Check)
        }
        for image in sorted(changed):
            self._judge(image)

    def _count(self, ops: Sequence[Op]) -> None:
        """Judge that each launch is counted once, and in the transaction that says so."""
        for op in ops:
            found = _LAUNCH.fullmatch(op.path)
            if found is None or not isinstance(op, Create | Set):
                continue
            launch = decode_launch(NodeId(found["node"]), op.data)
            self.captures.launch_written(launch)
            upload_id = upload_of(launch)
            if launch.counted is None or upload_id is None or launch.id in self._counted:
                continue
            self._counted.add(launch.id)
            self.tallied[found["provider"], upload_id.build, launch.counted] += 1
        for op in ops:
            found = _TALLY.fullmatch(op.path)
            if found is not None and isinstance(op, Create | Set):
                self._judge_tally(decode_tally(found["image"], found["provider"], op.data))

    def _judge_tally(self, tally: Tally) -> None:
        for number, one in tally.builds.items():
            build_id, said = BuildId(tally.image, number), one.total(Sample.LAUNCH)
            for word, count in (("ok", said.ok), ("failed", said.failed)):
                counted = self.tallied[tally.provider, build_id, word]
                if count != counted:
                    where = f"{build_id} in {tally.provider}"
                    self.history.fail(f"tally: {where}: {count} {word}, {counted} are counted")

    def _judge(self, image: str) -> None:
        """Find out anew what of an image may be booted, where, and since when it may not."""
        there = dict(self._uploads(image))
        self._judge_builds(image, there)
        for upload_id in [one for one in self._states if one.build.image == image]:
            there.setdefault(upload_id, UploadState.DELETING)
        for upload_id, state in there.items():
            if state is UploadState.DELETING is not self._states.get(upload_id):
                self._refuse_reference(upload_id)
            self._states[upload_id] = state
            for provider in self.images.places:
                self._judge_in(upload_id, state, provider)

    def _judge_builds(self, image: str, uploads: Collection[UploadId]) -> None:
        """Nothing is uploaded of a build that is the same, and none is too far from the base."""
        under_way = 0
        for name in self.records.names(paths.builds(image)):
            build = self.build(BuildId(image, number_of(name) or 0))
            if build is None:
                continue
            self.captures.build_written(build)
            if build.same_as is not None and any(one.build == build.id for one in uploads):
                self.history.fail(f"I6: {build.id} is the same as {build.same_as}, and uploaded")
            under_way += build.state in UNDER_WAY
            if image == FIRST and under_way > 1:
                self.history.fail(f"I6: {under_way} builds of {image} are under way at once")
            if build.since_full >= FULL_EVERY:
                self.history.fail(f"I6: {build.id} is {build.since_full} builds from its base")

    def _judge_in(self, upload_id: UploadId, state: UploadState, provider: str) -> None:
        now_s = self.timetable.now_s()
        spoiled = self.spoiled(upload_id.build, provider)
        if spoiled:
            self._spoiled.setdefault((upload_id.build, provider), now_s)
            self._ever_spoiled.add((upload_id.build, provider))
        else:
            self._spoiled.pop((upload_id.build, provider), None)
        for candidate in (False, True):
            good = state in WHOLE if candidate else state is UploadState.USABLE
            if good and not spoiled:
                self._bad.pop((upload_id, provider, candidate), None)
            else:
                self._bad.setdefault((upload_id, provider, candidate), now_s)

    def _uploads(self, image: str) -> Iterator[tuple[UploadId, UploadState]]:
        for name in self.records.names(paths.builds(image)):
            build_id = BuildId(image, number_of(name) or 0)
            for place in self.records.names(paths.uploads(build_id)):
                upload_id = UploadId(build_id, place)
                raw = self.records.read(paths.upload(upload_id))
                assert raw is not None
                yield upload_id, _upload(upload_id, raw).state

    def uploads(self) -> Iterator[UploadId]:
        """Yield what is on record, in any state."""
        for image in self.images.names:
            for upload_id, _state in self._uploads(image):
                yield upload_id

    def trying(self, upload_id: UploadId) -> str | None:
        """Return the provider in which an upload is tried now, if it is."""
        raw = self.records.read(paths.upload(upload_id))
        return None if raw is None else decode_upload(upload_id, raw).trying

    def build(self, build_id: BuildId) -> Build | None:
        """Return a build."""
        raw = self.records.read(paths.build(build_id))
        return None if raw is None else _build(build_id, raw)

    def pointer(self, image: str, provider: str) -> Pointer | None:
        """Return a pointer."""
        raw = self.records.read(paths.pointer(image, provider))
        return None if raw is None else _pointer(image, provider, raw)

    def spoiled(self, build_id: BuildId, provider: str) -> bool:
        """Whether a build is revoked, or withdrawn in a provider."""
        build, pointer = self.build(build_id), self.pointer(build_id.image, provider)
        revoked = build is not None and build.revoked is not None
        return revoked or (pointer is not None and build_id.number in pointer.withdrawn)

    def _bound(self, upload_id: UploadId) -> Iterator[NodeId]:
        """Yield the nodes that boot an upload, by their launch records."""
        for provider in self.images.places:
            for name in self.records.names(paths.launches(provider)):
                launch = self.records.launch(provider, NodeId(name))
                if launch is not None and upload_of(launch) == upload_id:
                    yield launch.id

    def _refuse_reference(self, upload_id: UploadId) -> None:
        for node in self._bound(upload_id):
            self.history.fail(f"I6: {upload_id} is to be deleted, but {node} boots it")

    def intended(self, launch: Launch) -> None:
        """Judge a new intent: its transaction has proven what it is to boot."""
        upload_id = upload_of(launch)
        if launch.first_use is not None:
            self.plain.add(launch.id)
        if upload_id is None:
            return
        state, candidate = self._states.get(upload_id), proves(launch.label)
        if state is not UploadState.USABLE and not (candidate and state in WHOLE):
            self.history.fail(f"I6: {launch.id} of {launch.label} is to boot {upload_id}: {state}")

    def fulfilled(self, who: str, request: Request) -> None:
        """Judge the nodes of a request: one build of each image, and none that is revoked."""
        found: dict[str, BuildId] = {}
        self.captures.handed_out(request.nodes)
        for node in filter(None, map(self.records.node, request.nodes)):
            provider = str(node.provider)
            launch = self.records.launch(provider, node.id)
            upload_id = None if launch is None else upload_of(launch)
            if request.image is not None and request.image.upload not in (None, upload_id):
                self.history.fail(f"I6: {request.id} asked for {request.image.upload}")
            if launch is not None and launch.first_use is not None:
                upload_id = UploadId(BuildId(FIRST, 0), "")  # it boots none, as all of them do
            if upload_id is None:
                continue
            build_id = upload_id.build
            other = found.setdefault(build_id.image, build_id)
            if other != build_id:
                self.history.fail(f"I6: {request.id} got nodes of {other} and of {build_id}")
            since_s = self._spoiled.get((build_id, provider))
            if since_s is not None and self._knows(who, since_s):
                self.history.fail(f"I6: {who} handed out {node.id} of {build_id}, which is revoked")

    def truly_told(self, provider: str, launch: Launch, why: str) -> bool:
        """Whether a ready machine was given up for its build, or its builder, and rightly."""
        upload_id = upload_of(launch)
        if labelled_image(launch.label) is not None and "its request is gone" in why:
            asked = launch.for_request
            return asked is None or self.records.request(asked) is None
        if "made on first use, goes" in why and upload_id is not None:
            return self._states.get(upload_id) in (UploadState.RETIRING, UploadState.DELETING)
        if upload_id is None or not ("was revoked by" in why or "was withdrawn here by" in why):
            return False
        return (upload_id.build, provider) in self._ever_spoiled

    # Calls to a cloud.

    def called(self, who: str, provider: str, order: ServerSpec) -> None:
        """Judge a create call at the moment at which it is sent."""
        ours = tags.read(order.tags)
        if ours is None:
            return
        upload_id = self.stored.get(order.image.id)
        launch = self.records.launch(provider, ours.node)
        if launch is not None and upload_of(launch) != upload_id:
            self.history.fail(f"I6: {ours.node} boots {upload_id}, meant was {upload_of(launch)}")
        if upload_id is None:
            plainly = launch is not None and launch.first_use is not None
            built = self.images.built.get((provider, ours.label))
            if built is not None and not (plainly and built == FIRST):
                self.history.fail(f"I6: {ours.node} of {ours.label} boots no image of ours")
            return
        if launch is not None and order.image.id in self.erased:
            self.history.fail(f"I6: {upload_id} was deleted, but {ours.node} is to boot it")
        candidate = proves(ours.label)
        if not candidate and self._states[upload_id] in _UNPROVEN:
            self.history.fail(f"I6: {ours.node} of {ours.label} boots {upload_id}, unproven")
        since_s = self._bad.get((upload_id, provider, candidate))
        if since_s is not None and self._knows(who, since_s):
            self.history.fail(f"I6: {who} boots {upload_id}, which is not booted any more")

    def keep(self, image_id: str, upload_id: UploadId) -> None:
        """Take note of a new image in the clouds."""
        self.stored[image_id] = upload_id

    def erase(self, image_id: str) -> None:
        """Judge the deletion of an image in the clouds."""
        self._refuse_reference(self.stored[image_id])
        self.erased.add(image_id)

    def _knows(self, who: str, since_s: float) -> bool:
        return self.attention(who).knows(since_s, self.timetable.now_s())


def proves(label: str) -> bool:
    """Whether the machines of a label prove an image."""
    meant = labelled_image(label)
    return meant is not None and meant[1] is ImageUse.PROVE


def upload_of(launch: Launch) -> UploadId | None:
    """Return what a machine boots, if it is an image of ours."""
    return parse_upload(launch.image_build, launch.image_place)
