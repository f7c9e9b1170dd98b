"""A build: one making of an image, in ``/remuda/images/<image>/builds/<number>``.

One hand makes it, from the machine's boot to the snapshot, and tells its progress elsewhere; only
what must survive that hand is written here. A build whose builder died begins anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from remuda.model import codec
from remuda.model.builtfile import BuiltFile, file_doc, maybe_sha256, read_file
from remuda.model.capture import Captured, captured_doc, read_captured
from remuda.model.fields import LINE_CHARS_MAX, PROSE_CHARS_MAX, Fields, safe
from remuda.model.ids import NodeId, ReplicaId, RequestId
from remuda.model.image import (
    BuildId,
    ImageRecord,
    Word,
    maybe_place,
    read_build_id,
    read_word,
    word_doc,
    word_in,
)
from remuda.model.imageask import read_login_key

SCHEMA: Final = 1
#: Hashes of what must not be in a clone: ids, keys, seed, leases. A dozen is many.
_IDENTITIES_MAX: Final = 64
#: Builders; those that could not sign, or had no room, most lately are kept.
UNABLE_MAX: Final = 32


class BuildState(StrEnum):
    """How far a build has come."""

    REQUESTED = "requested"  # it is due; no builder has taken it
    BUILDING = "building"  # its owner boots, fills, and quiets a machine
    SNAPSHOTTING = "snapshotting"  # the cloud may have been asked for the snapshot
    BUILT = "built"  # there is a snapshot; its uploads say the rest
    FAILED = "failed"  # kept for a while, for its evidence
    SUPERSEDED = "superseded"  # nobody began it, and nobody wants it any more
    SAME = "same"  # it would be what is booted already: no snapshot was taken
    RETIRING = "retiring"  # its record goes when nothing of it is left in any cloud


class BuildEvent(StrEnum):
    """What moves a build on."""

    TAKEN = "taken"  # a builder begins it
    QUIETED = "quieted"  # every step and check is done, the machine is stopped
    KEPT = "kept"  # the snapshot is active, and the machine is idle
    LOST = "lost"  # its builder died or the cloud was to blame, and nothing is left
    FAILED = "failed"  # a step failed, a residue was found, or it was lost too often
    SUPERSEDED = "superseded"  # a newer one, or none, is wanted instead
    FOUND_SAME = "found same"  # its inventory is that of the current build
    RETIRED = "retired"  # no upload is left, or its evidence is old


class Why(StrEnum):
    """What a build was begun for."""

    SCHEDULE = "schedule"
    AGE = "age"
    BASE_CHANGED = "base changed"
    RECIPE_CHANGED = "recipe changed"  # also: the recipe is new
    COMMAND = "command"
    FIRST_USE = "first use"
    CAPTURE = "capture"


class Blame(StrEnum):
    """Whose failure it was; a cloud's is never the image's."""

    CLOUD = "cloud"  # no host, no quota, breaker open, API down
    RECIPE = "recipe"  # a step or a check of the user's own failed
    MIRROR = "mirror"  # what a step fetches did not come: it may the next time
    MACHINE = "machine"  # it never came up, or broke, though the cloud gave it
    RESIDUE = "residue"  # something of the build machine, or a secret, was left in it
    BUILDER = "builder"  # ours died
    JOB = "job"  # a captured machine's: it let the machine go, or us no longer in


class IllegalBuildStepError(AssertionError):
    """Our own bug: code asked for a step that the table does not allow."""


_S, _E = BuildState, BuildEvent
BUILD_TABLE: Final[Mapping[BuildState, Mapping[BuildEvent, BuildState]]] = {
    _S.REQUESTED: {_E.TAKEN: _S.BUILDING, _E.SUPERSEDED: _S.SUPERSEDED},
    _S.BUILDING: {
        _E.QUIETED: _S.SNAPSHOTTING,
        _E.FOUND_SAME: _S.SAME,
        _E.FAILED: _S.FAILED,
        _E.LOST: _S.REQUESTED,
    },
    _S.SNAPSHOTTING: {_E.KEPT: _S.BUILT, _E.FAILED: _S.FAILED, _E.LOST: _S.REQUESTED},
    _S.BUILT: {_E.RETIRED: _S.RETIRING},
    _S.FAILED: {_E.RETIRED: _S.RETIRING},
    _S.SUPERSEDED: {_E.RETIRED: _S.RETIRING},
    _S.SAME: {_E.RETIRED: _S.RETIRING},
    _S.RETIRING: {},
}
#: In these a build is under way: no other of its kind is begun.
UNDER_WAY: Final = frozenset({_S.REQUESTED, _S.BUILDING, _S.SNAPSHOTTING})
#: In these it has come to what it was begun for.
ACHIEVED: Final = frozenset({_S.BUILT, _S.SAME})


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """What a build started from, resolved once: publishers replace and withdraw images."""

    id: str
    name: str = ""
    hash: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mishap:
    """What went wrong.

    Attributes:
        step: The step, in the words of the recipe or ours.
        message: What was said of it, which may be text of strangers.
    """

    step: str
    blame: Blame
    message: str

    @property
    def said(self) -> str:
        """Where and why, for people."""
        return f"{self.step}: {self.message}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """That a build must not be booted any more.

    Attributes:
        inherited: The build that was revoked, if this one only descends from it.
    """

    word: Word
    inherited: BuildId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """One making of an image.

    All times are seconds since the epoch.

    Attributes:
        since_s: When it came into its state.
        fingerprint: Hash of the recipe with its files.
        group: The providers that it is made for, in the order in which they may make it.
        provider, place: Where it is made; known from *building* on.
        owner: The builder that makes it; cannot_sign: those that have no key for what it states;
            no_room: those whose hosts had no room for its command, the last of them last.
        attempt: How often it was begun and lost by us; lost by a cloud does not count.
        asked_by_s: Until then a call of a dead owner may still reach the cloud.
        retry_s: Not to be begun before.
        parent: The build of ours that it starts from, of another image or of its own.
        base: What else it starts from; of one that starts from its own image, what that did.
        origin: Of one that starts from its own image: the build of another one that this rests on.
        since_full: How many builds ago one started from the base; 0: this one did.
        request, node: Of the build machine.
        captured: The job's machine that it is made of, instead of one of our own.
        login_key: Public line of the key by which its builder wants onto that machine.
        quieted_s: When that machine began to be made quiet: since then it is not what its job made
            of it any more, and no other attempt can begin.
        cloud_name, snapshot: Name and id of the snapshot in the cloud.
        inventory: Hash of what is in it; identity: hashes of what must not be in a clone.
        file: What its command has written, if that is how it is made; no machine was filled.
        same_as: The number of the build that it was found to be the same as.
        renewed_s: When the last build was requested that was found the same as this one.
        statement: SHA-256 of what its builder states of it, which lies beside its log.
        unwanted: Somebody's command to delete it.
    """

    id: BuildId
    state: BuildState
    why: Why
    requested_s: float
    since_s: float
    fingerprint: str = ""
    group: tuple[str, ...] = ()
    provider: str | None = None
    place: str | None = None
    owner: ReplicaId | None = None
    cannot_sign: tuple[ReplicaId, ...] = ()
    no_room: tuple[ReplicaId, ...] = ()
    attempt: int = 0
    asked_by_s: float = 0.0
    retry_s: float = 0.0
    parent: BuildId | None = None
    base: Base | None = None
    request: RequestId | None = None
    node: NodeId | None = None
    captured: Captured | None = None
    login_key: str | None = None
    quieted_s: float | None = None
    cloud_name: str | None = None
    snapshot: str | None = None
    inventory: str | None = None
    file: BuiltFile | None = None
    origin: BuildId | None = None
    since_full: int = 0
    same_as: int | None = None
    renewed_s: float | None = None
    statement: str | None = None
    identity: Mapping[str, str] = field(default_factory=dict)
    started_s: float | None = None
    ended_s: float | None = None
    mishap: Mishap | None = None
    revoked: Revocation | None = None
    unwanted: Word | None = None

    @property
    def once(self) -> bool:
        """Whether there is no other attempt, for its machine is spoiled for one."""
        return self.captured is not None and self.quieted_s is not None

    def after(self, event: BuildEvent, *, now_s: float, **changes: Any) -> "Build":
        """Return the build one step on; the only way its state changes.

        Raises:
            IllegalBuildStepError: If the table has no such edge.
        """
        try:
            state = BUILD_TABLE[self.state][event]
        except KeyError:
            raise IllegalBuildStepError(
                f"build {self.id} is {self.state!s}: no edge {event!s}"
            ) from None
        return replace(self, state=state, since_s=now_s, **changes)

    @property
    def foundation(self) -> BuildId | None:
        """The build of another image that all of it rests on, if there is one."""
        if self.parent is None or self.parent.image != self.id.image:
            return self.parent
        return self.origin

    @property
    def fresh_s(self) -> float:
        """From when its age counts: so new is what is in it."""
        return max(self.requested_s, self.renewed_s or 0.0)


def wanted_by(image: ImageRecord, build: Build) -> Word | None:
    """Return whose command a build was made by, as far as its image's record still says that."""
    if build.why is not Why.COMMAND or build.id.number <= image.wanted_above:
        return None
    return image.wanted


#: Fields that are written as they are; the others need a form of their own.
_PLAIN: Final = (
    *("state", "why", "requested_s", "since_s", "fingerprint", "provider", "place", "owner"),
    *("attempt", "asked_by_s", "retry_s", "request", "node", "cloud_name", "snapshot"),
    *("inventory", "started_s", "ended_s", "login_key", "quieted_s", "group", "cannot_sign"),
    *("since_full", "same_as", "renewed_s", "statement", "no_room"),
)
#: Providers of an image.
GROUP_MAX: Final = 100


def mishap_doc(mishap: Mishap | None) -> dict[str, Any] | None:
    """Return a mishap as a part of a record; the pair of :func:`read_mishap`."""
    if mishap is None:
        return None
    return {
        "step": safe(mishap.step, LINE_CHARS_MAX),
        "blame": mishap.blame,
        "message": safe(mishap.message, PROSE_CHARS_MAX),
    }


def read_mishap(fields: Fields, key: str) -> Mishap | None:
    """Return the mishap in a field of a record, or None if there is none."""
    part = fields.part(key)
    if part is None:
        return None
    return Mishap(
        step=part.prose("step", LINE_CHARS_MAX) or "?",
        blame=part.word("blame", Blame),
        message=part.prose("message") or "",
    )


def encode_build(build: Build) -> bytes:
    """Serialise all but the id, which is the znode's path."""
    doc: dict[str, Any] = {
        "schema": SCHEMA,
        **{name: getattr(build, name) for name in _PLAIN},
        "parent": None if build.parent is None else str(build.parent),
        "origin": None if build.origin is None else str(build.origin),
        "base": _base_doc(build.base),
        "captured": captured_doc(build.captured),
        "file": file_doc(build.file),
        "identity": dict(build.identity),
        "failure": mishap_doc(build.mishap),
        "revoked": _revocation_doc(build.revoked),
        "unwanted": word_doc(build.unwanted),
    }
    return codec.dump({key: value for key, value in doc.items() if value is not None})


def _base_doc(base: Base | None) -> dict[str, Any] | None:
    return None if base is None else {"id": base.id, "name": base.name, "hash": base.hash}


def _revocation_doc(revoked: Revocation | None) -> dict[str, Any] | None:
    if revoked is None:
        return None
    inherited = None if revoked.inherited is None else str(revoked.inherited)
    return {**(word_doc(revoked.word) or {}), "inherited": inherited}


def decode_build(build_id: BuildId, raw: bytes) -> Build:
    """Rebuild a build; the pair of :func:`encode_build`.

    Fields that we do not know are ignored, and lost when it is written: the record is ours alone.

    Raises:
        CorruptRecordError: If *raw* is none of a schema we know.
    """
    fields = Fields(str(build_id), codec.parse(str(build_id), raw))
    fields.check_schema(SCHEMA)
    owner, request = fields.maybe_text("owner"), fields.maybe_text("request")
    node = fields.identifier("node")
    return Build(
        id=build_id,
        state=fields.word("state", BuildState),
        why=fields.word("why", Why),
        requested_s=fields.number("requested_s"),
        since_s=fields.number("since_s"),
        fingerprint=fields.maybe_text("fingerprint") or "",
        group=fields.texts("group", GROUP_MAX),
        provider=fields.maybe_text("provider"),
        place=maybe_place(fields, "place"),
        owner=ReplicaId(owner) if owner else None,
        cannot_sign=tuple(map(ReplicaId, fields.texts("cannot_sign", UNABLE_MAX))),
        no_room=tuple(map(ReplicaId, fields.texts("no_room", UNABLE_MAX))),
        attempt=fields.count("attempt", 0),
        asked_by_s=fields.number("asked_by_s", 0.0),
        retry_s=fields.number("retry_s", 0.0),
        parent=read_build_id(fields, "parent"),
        origin=read_build_id(fields, "origin"),
        since_full=fields.count("since_full", 0),
        same_as=fields.maybe_count("same_as"),
        renewed_s=fields.maybe_number("renewed_s"),
        base=_base(fields.part("base")),
        request=RequestId(request) if request else None,
        node=NodeId(node) if node else None,
        captured=read_captured(fields, "captured"),
        login_key=read_login_key(fields),
        quieted_s=fields.maybe_number("quieted_s"),
        cloud_name=fields.maybe_text("cloud_name"),
        snapshot=fields.identifier("snapshot"),
        inventory=fields.maybe_text("inventory"),
        file=read_file(fields.part("file")),
        statement=maybe_sha256(fields, "statement"),
        identity=_identity(fields),
        started_s=fields.maybe_number("started_s"),
        ended_s=fields.maybe_number("ended_s"),
        mishap=read_mishap(fields, "failure"),
        revoked=_revocation(fields.part("revoked")),
        unwanted=read_word(fields, "unwanted"),
    )


def _base(part: Fields | None) -> Base | None:
    if part is None:
        return None
    found = part.identifier("id")
    if found is None:
        raise part.refuse("id", "an id")
    name = part.prose("name", LINE_CHARS_MAX) or ""
    return Base(id=found, name=name, hash=part.maybe_text("hash"))


def _identity(fields: Fields) -> Mapping[str, str]:
    part = fields.mapping("identity", _IDENTITIES_MAX)
    inner = Fields(f"{fields.name}: identity", part)
    return {name: inner.text(name) for name in part}


def _revocation(part: Fields | None) -> Revocation | None:
    if part is None:
        return None
    return Revocation(word=word_in(part), inherited=read_build_id(part, "inherited"))
