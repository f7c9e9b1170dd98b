"""Captures: an image that is made of a job's machine, because its holder asks for that.

The holder's *ask* lies in the node's record, which requestors may write. The *capture* is what the
node's launcher makes of it, in the launch record, which only launchers write: taken, or refused
with the rule that it breaks. A build that is made of it says of what machine (*captured*).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from remuda.model.codec import CorruptRecordError
from remuda.model.fields import LINE_CHARS_MAX, Fields, safe
from remuda.model.ids import NodeId
from remuda.model.image import IMAGE_NAME, BuildId, read_build_id
from remuda.model.node import Node

#: Our own key in the record of a node.
CAPTURE_KEY: Final = "remuda_capture"
#: Longer reasons are cut.
WHY_CHARS_MAX: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureAsk:
    """What the holder of a node asks.

    Attributes:
        image: The name that the image is to have.
        token: No two asks have the same.
        contender: Name of the holder's place in the lock of the node.
        at_s: When it was asked, seconds since the epoch.
    """

    image: str
    token: str
    contender: str
    at_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """What a launcher makes of an ask.

    Attributes:
        requestor: Whose the node is, as its record said then.
        refused: The rule that it breaks; None: it is taken.
        build: The build that was begun for it, once there is one.
    """

    ask: CaptureAsk
    requestor: str
    refused: str | None = None
    build: BuildId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    """Of which machine a build is made.

    Attributes:
        provider, pool, label: What the machine was made as.
        requestor: Who held it.
    """

    node: NodeId
    provider: str
    pool: str
    label: str
    requestor: str
    token: str

    @property
    def said(self) -> str:
        """Of what, for people."""
        return f"node {self.node} ({self.label} in {self.provider}), held by {self.requestor}"


def ask_fields(ask: CaptureAsk) -> dict[str, Any]:
    """Return what is set in the record of the node; the pair of :func:`ask_of`."""
    return {CAPTURE_KEY: ask_doc(ask)}


def ask_of(node: Node) -> CaptureAsk | None:
    """Return what the record of a node asks; None: nothing, or nothing that can be read."""
    if CAPTURE_KEY not in node.doc:
        return None  # as of nearly all
    try:
        part = Fields(node.id, node.doc).part(CAPTURE_KEY)
        return None if part is None else read_capture_ask(part)
    except CorruptRecordError:
        return None


def requestor_of(node: Node) -> str:
    """Return whose a node is, as its record says."""
    name = node.doc.get("requestor")
    return safe(name, LINE_CHARS_MAX) if isinstance(name, str) and name else ""


def ask_doc(ask: CaptureAsk) -> dict[str, Any]:
    """Return an ask as a part of a record; the pair of :func:`read_capture_ask`."""
    return {
        "image": ask.image,
        "token": ask.token,
        "contender": ask.contender,
        "at_s": round(ask.at_s, 3),
    }


def read_capture_ask(part: Fields) -> CaptureAsk:
    """Return the ask that an object of a record holds.

    Raises:
        CorruptRecordError: If it is none.
    """
    image, token = part.text("image"), part.identifier("token")
    contender = part.identifier("contender")
    if not IMAGE_NAME.fullmatch(image):
        raise part.refuse("image", "the name of an image")
    if not token or not contender:
        raise part.refuse("contender" if token else "token", "an id")
    return CaptureAsk(image=image, token=token, contender=contender, at_s=part.number("at_s"))


def capture_doc(capture: Capture) -> Mapping[str, Any]:
    """Return a capture as a part of a launch; the pair of :func:`read_capture`."""
    refused = None if capture.refused is None else safe(capture.refused, WHY_CHARS_MAX)
    doc = {
        **ask_doc(capture.ask),
        "requestor": safe(capture.requestor, LINE_CHARS_MAX),
        "refused": refused,
        "build": None if capture.build is None else str(capture.build),
    }
    return {key: value for key, value in doc.items() if value is not None}


def read_capture(fields: Fields, key: str) -> Capture | None:
    """Return the capture in a field of a launch, or None if there is none."""
    part = fields.part(key)
    if part is None:
        return None
    return Capture(
        ask=read_capture_ask(part),
        requestor=part.prose("requestor", LINE_CHARS_MAX) or "",
        refused=part.prose("refused", WHY_CHARS_MAX),
        build=read_build_id(part, "build"),
    )


def captured_doc(captured: Captured | None) -> dict[str, Any] | None:
    """Return of what machine a build is made, as a part of it; the pair of `read_captured`."""
    if captured is None:
        return None
    return {
        "node": captured.node,
        "provider": captured.provider,
        "pool": captured.pool,
        "label": captured.label,
        "requestor": safe(captured.requestor, LINE_CHARS_MAX),
        "token": captured.token,
    }


def read_captured(fields: Fields, key: str) -> Captured | None:
    """Return of what machine a build is made, or None: it has a recipe."""
    part = fields.part(key)
    if part is None:
        return None
    node, token = part.identifier("node"), part.identifier("token")
    if not node or not token:
        raise part.refuse("token" if node else "node", "an id")
    return Captured(
        node=NodeId(node),
        provider=part.text("provider"),
        pool=part.text("pool"),
        label=part.text("label"),
        requestor=part.prose("requestor", LINE_CHARS_MAX) or "",
        token=token,
    )
