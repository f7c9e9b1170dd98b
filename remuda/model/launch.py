"""The launch record: what *we* must know of a node, and what must survive every crash.

It lies in ``/remuda/providers/<provider>/launches/<node id>``; it is created and removed in the
same transaction as the node's own record, and it is written before the cloud is asked.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any, Final

from remuda.model import codec
from remuda.model.capture import Capture, capture_doc, read_capture
from remuda.model.fetched import believed
from remuda.model.fields import KEY_CHARS_MAX, Fields
from remuda.model.guest import Guest, guest_doc, read_guest
from remuda.model.hold import Hold, hold_doc, read_hold
from remuda.model.ids import NodeId, ReplicaId, RequestId, ServerId
from remuda.model.imageask import read_login_key
from remuda.model.packed import Packed
from remuda.model.takehome import SnapshotAnswer, answer_doc, read_snapshot_answer

SCHEMA: Final = 1
#: Of a machine that may show either of two host keys. Versions that know of one would drop the
#: other when they write, and lock everybody out: they leave alone what has a schema of its own.
TWO_KEYS_SCHEMA: Final = 2
_BOTH: Final = 2
#: The configuration's word for machines that get their host key from us.
INJECT: Final = "inject"


class Step(StrEnum):
    """How far a launch has come; finer than the state on the wire."""

    PLANNED = "planned"  # the cloud may have been asked: the listing decides
    BOOTING = "booting"  # the cloud knows it; not active yet, or no address yet
    PROVING = "proving"  # active; login, setup and checks are under way
    DONE = "done"  # was ready; whatever the wire says is the truth now
    CONDEMNED = "condemned"  # to be deleted until the cloud no longer shows it


class StepEvent(StrEnum):
    """What moves a launch on."""

    CREATED = "created"  # the cloud returned an id, or the listing shows our tag
    ACTIVE = "active"  # the cloud runs it and it has an address
    PROVEN = "proven"  # every check passed
    CONDEMNED = "condemned"  # failure, age, release, operator


class IllegalLaunchStepError(AssertionError):
    """Our own bug: code asked for a step that the table does not allow."""


#: Fields that say what is waited for within a step.
_AWAITED: Final = ("proof_step", "proof_since_s", "proof_words")

_S, _E = Step, StepEvent
STEP_TABLE: Final[Mapping[Step, Mapping[StepEvent, Step]]] = {
    _S.PLANNED: {_E.CREATED: _S.BOOTING, _E.ACTIVE: _S.PROVING, _E.CONDEMNED: _S.CONDEMNED},
    _S.BOOTING: {_E.ACTIVE: _S.PROVING, _E.CONDEMNED: _S.CONDEMNED},
    _S.PROVING: {_E.PROVEN: _S.DONE, _E.CONDEMNED: _S.CONDEMNED},
    _S.DONE: {_E.CONDEMNED: _S.CONDEMNED},
    _S.CONDEMNED: {_E.CONDEMNED: _S.CONDEMNED},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """One launch, from the intent until its records are removed.

    Attributes:
        owner: The replica that works on it.
        for_request: Made for this request alone (``reuse: false``), or None.
        on_account_of: The request whose need caused it and that is charged if it fails, or None:
            it was made to have some ready. Whoever is first in service order may get the machine.
        host_keys: How its host key is known, in the configuration's words of when it was made
            (inject, scan, ignore); None: the record is older than this field.
        host_key: Public host key that we gave to the machine, or None (scan); of one that is held
            the key that it has made instead, once it has shown it.
        planned_s: Wall clock of the intent; every deadline but that of the login counts from here.
        active_s: Wall clock of when a listing first showed it running, with an address: from here
            counts the login. None: not yet, or the record is older than this field.
        proof_step: What it is waited for, once that has taken more than a moment: ``address``, or
            the step of its proof (connect, host-key, login, step, setup, check); None: nothing.
        proof_since_s: Since when, wall clock.
        proof_words: What the machine or the cloud answered last; the name of a script that runs.
        asked_by_s: Until then a create call of a dead owner may still reach the cloud.
        cores, ram_mib, volume_gib: What it costs of the limits, from the intent on.
        image_build, image_place: The upload that it boots, if it boots an image of ours: build as
            ``<image>/<number>``. While the record is there, the upload is not deleted.
        first_use: Fingerprint of the recipe whose steps it runs before its setup, because no build
            of it was there; None: it runs none.
        login_key: Public line of the key that opens it for the builder that asked for it, as its
            request said when this was planned; whoever changes the request later changes nothing.
        floating_ip: Id of the floating IP that it was given, if any; written when it is ready.
        address: Where it was proven, and its users reach it; written when it is ready. None: it is
            not, or the record is older than this field.
        why: Why it was condemned.
        failed: How it failed, if it never became ready and the next of its kind might fail alike;
            see :mod:`remuda.metrics.results` for the words.
        counted: Whether it was counted as a launch that went well (ok), or did not (failed), of the
            build of ours that it boots.
        reported: What its user reported of the work on it, once we have counted that: ok or failed.
        archived: What became of the archive of what the work left, once we have counted that.
        setup_fetched: Bytes that the machine received while its setup script ran, as it says;
            written when it is ready. None: it has none, or nobody knows.
        capture: What we have made of its user's last ask for an image of the machine, or None.
        guest: Whom we have let onto the running machine, or were to.
        take_home: What we have made of the wish that the held machine become an image, or None.
        opened: It boots the take-home image of that node, or None.
        hold: That it is kept for a person, or will be, or why not; None: nobody wished it.
    """

    id: NodeId
    pool: str
    label: str
    step: Step
    owner: ReplicaId
    planned_s: float
    asked_by_s: float
    cores: int = 0
    ram_mib: int = 0
    volume_gib: int = 0
    az: str | None = None
    for_request: RequestId | None = None
    on_account_of: RequestId | None = None
    server: ServerId | None = None
    active_s: float | None = None
    proof_step: str | None = None
    proof_since_s: float | None = None
    proof_words: str | None = None
    host_keys: str | None = None
    host_key: str | None = None
    image_build: str | None = None
    image_place: str | None = None
    first_use: str | None = None
    login_key: str | None = None
    floating_ip: str | None = None
    address: str | None = None
    why: str | None = None
    failed: str | None = None
    counted: str | None = None
    reported: str | None = None
    archived: str | None = None
    setup_fetched: int | None = None
    capture: Capture | None = None
    guest: Guest | None = None
    hold: Hold | None = None
    take_home: SnapshotAnswer | None = None
    opened: NodeId | None = None

    @property
    def needed_by(self) -> RequestId | None:
        """The request that it was made for, alone or before others; None: for none."""
        return self.for_request or self.on_account_of

    @property
    def keyless(self) -> bool:
        """Whether we gave the machine a host key that its record has lost: any would be believed.

        The configuration of today does not tell: it may have said otherwise when it was made.
        """
        return self.host_key is None and self.host_keys == INJECT

    @property
    def believed_keys(self) -> tuple[str, ...]:
        """The host keys of which the machine shows one; empty: we gave it none.

        While that of a held machine is changed these are two: nobody knows which it shows.
        """
        if self.host_key is None:
            return ()
        change = None if self.hold is None else self.hold.host_key
        new = None if change is None else change.key
        return (self.host_key,) if new in {None, self.host_key} else (self.host_key, str(new))

    def after(self, event: StepEvent, **changes: Any) -> "Launch":
        """Return the launch one step on; the only way its step changes.

        What it was waited for is over then, but for one that is condemned: that is where it ended.

        Raises:
            IllegalLaunchStepError: If the table has no such edge.
        """
        try:
            step = STEP_TABLE[self.step][event]
        except KeyError:
            raise IllegalLaunchStepError(
                f"launch {self.id} is {self.step!s}: no edge {event!s}"
            ) from None
        awaited = {} if event is StepEvent.CONDEMNED else dict.fromkeys(_AWAITED)
        return replace(self, step=step, **{**awaited, **changes})


#: Fields that need a form of their own.
_FORMED: Final = frozenset({"capture", "guest", "hold", "take_home"})
_WRITTEN: Final = tuple(one.name for one in fields(Launch) if one.name not in {"id", *_FORMED})


def encode(launch: Launch) -> bytes:
    """Serialise all but the id, which is the znode's name."""
    schema = SCHEMA if len(launch.believed_keys) < _BOTH else TWO_KEYS_SCHEMA
    doc: dict[str, Any] = {"schema": schema}
    for name in _WRITTEN:
        value = getattr(launch, name)
        if value is not None:
            doc[name] = value
    if launch.capture is not None:
        doc["capture"] = capture_doc(launch.capture)
    if launch.guest is not None:
        doc["guest"] = guest_doc(launch.guest)
    if launch.hold is not None:
        doc["hold"] = hold_doc(launch.hold)
    if launch.take_home is not None:
        doc["take_home"] = answer_doc(launch.take_home)
    return codec.dump(doc)


def decode(node_id: NodeId, raw: bytes) -> Launch:
    """Rebuild a launch; the pair of :func:`encode`.

    Raises:
        CorruptRecordError: If *raw* is not a launch of a schema we know.
    """
    fields = Fields(node_id, Packed(codec.parse(node_id, raw)))
    fields.check_schema(SCHEMA, TWO_KEYS_SCHEMA)
    for_request, server = fields.maybe_text("for_request"), fields.identifier("server")
    opened = fields.identifier("opened")
    charged = fields.maybe_text("on_account_of")
    return Launch(
        id=node_id,
        pool=fields.text("pool"),
        label=fields.text("label"),
        step=fields.word("step", Step),
        owner=ReplicaId(fields.text("owner")),
        planned_s=fields.number("planned_s"),
        asked_by_s=fields.number("asked_by_s"),
        cores=fields.count("cores", 0),
        ram_mib=fields.count("ram_mib", 0),
        volume_gib=fields.count("volume_gib", 0),
        az=fields.maybe_text("az"),
        for_request=RequestId(for_request) if for_request else None,
        on_account_of=RequestId(charged) if charged else None,
        server=ServerId(server) if server else None,
        active_s=fields.maybe_number("active_s"),
        proof_step=fields.maybe_text("proof_step"),
        proof_since_s=fields.maybe_number("proof_since_s"),
        proof_words=fields.prose("proof_words"),
        host_keys=fields.maybe_text("host_keys"),
        host_key=fields.maybe_text("host_key", KEY_CHARS_MAX),
        image_build=fields.maybe_text("image_build"),
        image_place=fields.maybe_text("image_place"),
        first_use=fields.maybe_text("first_use"),
        login_key=read_login_key(fields),
        floating_ip=fields.identifier("floating_ip"),
        address=fields.maybe_text("address"),
        why=fields.prose("why"),
        failed=fields.prose("failed"),
        counted=fields.maybe_text("counted"),
        reported=fields.maybe_text("reported"),
        archived=fields.maybe_text("archived"),
        setup_fetched=believed(fields.maybe_count("setup_fetched")),
        capture=read_capture(fields, "capture"),
        guest=read_guest(fields, "guest"),
        hold=read_hold(fields, "hold"),
        take_home=read_snapshot_answer(fields, "take_home"),
        opened=None if opened is None else NodeId(opened),
    )
