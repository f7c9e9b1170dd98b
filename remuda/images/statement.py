"""What a builder states of a build, in ``/remuda/image-logs/<image>/<number>/statement``.

It is an in-toto statement (v1) with a predicate of SLSA provenance (v1): by whom, from what and
how the snapshot was made. It is drafted before the cloud is asked for the snapshot, and completed
with the snapshot's hash in the transaction that makes the build whole; whoever finishes a build of
a dead builder completes that one's draft. The build's record, and the image in each cloud, carry
the statement's hash. What may change later (verdicts, revocation, whether it is kept) is not in it.

Kept compressed: a line with schema, stage, key and signature, and the JSON that these are of.
"""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from remuda.images.squeezed import inflate, squeeze
from remuda.model import codec
from remuda.model.build import Build, encode_build
from remuda.model.capture import Captured
from remuda.model.codec import CorruptRecordError, quote
from remuda.model.fields import one_line
from remuda.model.image import BuildId
from remuda.model.upload import Upload, encode_upload
from remuda.store import paths
from remuda.store.api import Store

SCHEMA: Final = 1
TYPE: Final = "https://in-toto.io/Statement/v1"
PREDICATE: Final = "https://slsa.dev/provenance/v1"
#: What DSSE calls the kind of payload of an in-toto statement.
PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
BUILD_TYPE: Final = "urn:remuda:image-build:1"
#: Of the JSON. One of 200 steps that copy 300 files has some 150 KiB.
PAYLOAD_BYTES_MAX: Final = 512 * 1024
#: Of the znode; hashes do not compress.
PACKED_BYTES_MAX: Final = 256 * 1024
#: What of a build's record stays as it is once the build is whole: the statement repeats it.
OF_RECORD: Final = (
    *("why", "requested_s", "fingerprint", "group", "provider", "place", "attempt", "parent"),
    *("base", "origin", "captured", "request", "node", "cloud_name", "snapshot", "inventory"),
    *("identity", "file", "started_s", "ended_s"),
)
#: The same of the upload that is the snapshot itself.
OF_UPLOAD: Final = ("method", "cloud_image", "size_bytes", "sha256", "os_hash", "min_disk_gib")

_NAME_CHARS_MAX: Final = 200
_KEY: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_SIGNATURE: Final = re.compile(r"[0-9a-f]{128}", re.ASCII)
_COMPLETE, _DRAFT, _NONE = "complete", "draft", "-"
_HASH: Final = re.compile(r"([a-z0-9_]{1,32}):([0-9a-f]{1,200})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What is stated of a build.

    Attributes:
        payload: The JSON: what is hashed and signed is these bytes.
        doc: What they say, as far as it is JSON that we read; text of others.
        complete: Whether it is of a whole snapshot; a draft has no subject, and no signature.
        key: SHA-256 of the public key that it is signed with, in hexadecimal, or None.
        signature: Of :attr:`signed`, 64 bytes, or None.
    """

    payload: bytes
    doc: Mapping[str, Any]
    complete: bool = False
    key: str | None = None
    signature: bytes | None = None

    @property
    def digest(self) -> str:
        """SHA-256 of the payload, in hexadecimal."""
        return hashlib.sha256(self.payload).hexdigest()

    @property
    def signed(self) -> bytes:
        """What a signature is of: DSSE's encoding of the payload and its type."""
        head = f"DSSEv1 {len(PAYLOAD_TYPE)} {PAYLOAD_TYPE} {len(self.payload)} "
        return head.encode() + self.payload

    def envelope(self) -> dict[str, Any]:
        """Return it as a DSSE envelope; without a signature, where there is none."""
        signatures = []
        if self.signature is not None:
            sig = base64.b64encode(self.signature).decode()
            signatures = [{"keyid": self.key, "sig": sig}]
        return {
            "payload": base64.b64encode(self.payload).decode(),
            "payloadType": PAYLOAD_TYPE,
            "signatures": signatures,
        }


class TooLargeError(ValueError):
    """There is no room for a statement."""


def of_doc(doc: Mapping[str, Any], *, complete: bool = False) -> Statement:
    """Return a statement that says *doc*, not signed."""
    text = json.dumps(doc, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return Statement(payload=text.encode("ascii"), doc=doc, complete=complete)


def encode_statement(statement: Statement) -> bytes:
    """Return what is kept of it; the pair of :func:`decode_statement`.

    Raises:
        TooLargeError: There is no room for it.
    """
    stage = _COMPLETE if statement.complete else _DRAFT
    signature = _NONE if statement.signature is None else statement.signature.hex()
    head = f"{SCHEMA} {stage} {statement.key or _NONE} {signature}\n"
    packed = squeeze(head.encode() + statement.payload)
    if len(statement.payload) > PAYLOAD_BYTES_MAX or len(packed) > PACKED_BYTES_MAX:
        raise TooLargeError(f"{len(statement.payload)} bytes, {len(packed)} when compressed")
    return packed


def decode_statement(build_id: BuildId, raw: bytes) -> Statement:
    """Rebuild a statement.

    Raises:
        CorruptRecordError: If *raw* is none of a schema we know.
    """
    name = f"statement of {build_id}"
    if len(raw) > PACKED_BYTES_MAX:
        raise CorruptRecordError(name, f"the record has {len(raw)} bytes")
    head, _, text = inflate(name, raw, PAYLOAD_BYTES_MAX + 1024).partition("\n")
    words = head.split(" ")
    if words[0] != str(SCHEMA):
        raise CorruptRecordError(name, f"schema {quote(words[0])}, not {SCHEMA}")
    if len(words) != len(("schema", "stage", "key", "signature")):
        raise CorruptRecordError(name, f"{quote(head)} is not four words")
    _, stage, key, signature = words
    if stage not in {_COMPLETE, _DRAFT}:
        raise CorruptRecordError(name, f"{quote(stage)} is no stage")
    if (key == _NONE) is not (signature == _NONE) or (key != _NONE and stage == _DRAFT):
        raise CorruptRecordError(name, "it is signed by half")
    if key != _NONE and not (_KEY.fullmatch(key) and _SIGNATURE.fullmatch(signature)):
        raise CorruptRecordError(name, f"{quote(head)} is no signature of a key")
    doc = codec.parse(name, text.encode(), PAYLOAD_BYTES_MAX)
    if doc.get("_type") != TYPE or doc.get("predicateType") != PREDICATE:
        raise CorruptRecordError(name, "it is no statement of provenance")
    return Statement(
        payload=text.encode(),
        doc=doc,
        complete=stage == _COMPLETE,
        key=None if key == _NONE else key,
        signature=None if key == _NONE else bytes.fromhex(signature),
    )


def read_statement(store: Store, build_id: BuildId) -> Statement | None:
    """Return what is stated of a build, a draft too, or None if nothing is.

    Raises:
        CorruptRecordError: If it cannot be read.
        NotPermittedError: If ZooKeeper does not let us see it.
        StoreAwayError: If it does not answer.
    """
    stored = store.read(paths.image_statement(build_id))
    return None if stored is None else decode_statement(build_id, stored.value)


def record_part(build: Build) -> dict[str, Any]:
    """Return what of a whole build's record stays as it is, as the record has it."""
    return kept_part(encode_build(build), OF_RECORD)


def upload_part(upload: Upload) -> dict[str, Any]:
    """Return what of the record of a snapshot's own upload stays as it is."""
    return kept_part(encode_upload(upload), OF_UPLOAD)


def kept_part(raw: bytes, keys: tuple[str, ...]) -> dict[str, Any]:
    """Return these keys of a record, as they are written; nothing, if it is no record any more.

    What is not there is null, so that it is stated that it is not.
    """
    try:
        doc = codec.parse("record", raw)
    except CorruptRecordError:
        return {}
    return {key: doc.get(key) for key in keys}


def captured_part(captured: Captured | None) -> dict[str, str] | None:
    """Return whose machine it was: its job owned it as root, and made of it what it liked."""
    if captured is None:
        return None
    return {
        "node": captured.node,
        "provider": captured.provider,
        "pool": captured.pool,
        "label": one_line(captured.label, _NAME_CHARS_MAX),
        "requestor": one_line(captured.requestor, _NAME_CHARS_MAX),
    }


def digests(os_hash: str | None, sha256: str | None = None) -> dict[str, str]:
    """Return hashes of an image's bytes by algorithm; none where the cloud tells none."""
    known = _HASH.fullmatch((os_hash or "").lower())
    found = {} if known is None else {known[1]: known[2]}
    return found if sha256 is None else {**found, "sha256": sha256}


def subject_of(build: Build, upload: Upload) -> dict[str, Any]:
    """Return what a statement is about: the snapshot, by its hash.

    A cloud that has no hash (Ceph's snapshots) has the id only, which Glance gives to no other
    bytes. It is no hash of anything, and does not pass for one.
    """
    known = digests(upload.os_hash, upload.sha256)
    return {
        "name": str(build.id),
        "digest": known or {"glanceImageId": upload.cloud_image or ""},
        "annotations": {
            "glanceImageId": upload.cloud_image,
            "sizeBytes": upload.size_bytes,
        },
    }


def part_of(doc: Any, *keys: str) -> Any:
    """Return what a statement says at a place, or None if there is nothing of the kind."""
    found: Any = doc
    for key in keys:
        if not isinstance(found, Mapping):
            return None
        found = found.get(key)
    return found


def subject_in(doc: Mapping[str, Any]) -> Any:
    """Return what a statement is about, or None if it does not say one thing."""
    found = doc.get("subject")
    return found[0] if isinstance(found, list) and len(found) == 1 else None


DEFINITION: Final = ("predicate", "buildDefinition")
INTERNAL: Final = (*DEFINITION, "internalParameters")
EXTERNAL: Final = (*DEFINITION, "externalParameters")
