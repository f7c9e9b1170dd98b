"""Whether what is stated of a build is so: pure, over what was read of records and clouds.

Each comparison says what it is of, where, and what came of it. What nobody can tell is a result of
its own, and never passes for agreement.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Protocol

from remuda.cloud.image_store import ImageStatus, StoredImage, Visibility, hash_of
from remuda.config.fingerprint import Trees, check_hash, command_hash, fingerprint, step_hash
from remuda.config.recipes import ImageRecipe
from remuda.images import statement as statements
from remuda.images.inventory import Inventory, digest_of
from remuda.images.statement import (
    EXTERNAL,
    INTERNAL,
    OF_RECORD,
    OF_UPLOAD,
    Statement,
    part_of,
    subject_in,
)
from remuda.model import tags
from remuda.model.build import Build
from remuda.model.codec import CorruptRecordError, quote
from remuda.model.ids import ProviderName
from remuda.model.image import BuildId
from remuda.model.upload import Method, Upload


class Of(StrEnum):
    """What was compared."""

    RECORD = "record"
    INVENTORY = "inventory"
    SIGNATURE = "signature"
    SCRIPT = "script"
    IMAGE = "image"  # in a cloud: its bytes, as far as the cloud has hashes of them
    PROPERTY = "property"  # of the image in a cloud


class Outcome(StrEnum):
    """What came of it."""

    SAME = "same"
    DIFFERS = "differs"
    AWAY = "away"  # who could tell did not answer
    UNKNOWN = "unknown"  # nobody can tell: it is not there, or nobody asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One comparison.

    Attributes:
        where: A provider, or empty: in our own records.
        why: What differs, or why nobody can tell; it may quote text of others.
    """

    of: Of
    outcome: Outcome
    where: str = ""
    why: str = ""


class Key(Protocol):
    """A public key; see :class:`remuda.signing.VerifyingKey`."""

    @property
    def id(self) -> str:
        """Its hash."""

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Whether a signature is of this key, and of a message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What is on record of a build.

    Attributes:
        raw_build: Its record as it is written: what is stated are its very values.
        raw_native: The same of the upload that is the snapshot itself; None: it is gone.
        uploads: By place.
        statement: What is stated, why it cannot be read, or None: nothing is.
        inventory: Likewise the list of what is in it.
    """

    build: Build
    raw_build: bytes
    raw_native: bytes | None = None
    uploads: Mapping[str, Upload] = field(default_factory=dict)
    statement: Statement | CorruptRecordError | None = None
    inventory: Inventory | CorruptRecordError | None = None


def compare(recorded: Recorded, keys: Sequence[Key] | None) -> Iterator[Compared]:
    """Compare records with each other, and with the signature.

    Args:
        recorded: The records.
        keys: By one of which the statement has to be signed; None: there is none to compare with.
    """
    statement, build = recorded.statement, recorded.build
    if isinstance(statement, CorruptRecordError):
        yield _differs(Of.RECORD, f"what is stated cannot be read: {statement.why}")
        return
    if statement is None and build.statement is None:
        why = f"nothing is stated of it: {why_unstated(build)}"
        yield Compared(of=Of.RECORD, outcome=Outcome.UNKNOWN, why=why)
        imaged = any(one.cloud_image is not None for one in recorded.uploads.values())
        if keys is not None and (imaged or build.snapshot is not None):
            yield _differs(Of.SIGNATURE, "nothing is there that could be signed")
        return
    if statement is None:
        yield _differs(Of.RECORD, "what was stated of it is not there any more")
        return
    wrong = list(_wrong_records(recorded, statement))
    yield from wrong or [Compared(of=Of.RECORD, outcome=Outcome.SAME)]
    yield _inventory(recorded, statement)
    yield _signature(statement, keys)


def why_unstated(build: Build) -> str:
    """Return why nothing is stated of a build, as far as its record tells."""
    if build.same_as is not None:
        other = BuildId(build.id.image, build.same_as)
        return f"it is the same as {other}, and has no image of its own: ask for {other}"
    if build.snapshot is None:
        return f"it is {build.state}, and has no image"
    return "an older builder made it, or its draft was lost"


def _wrong_records(recorded: Recorded, statement: Statement) -> Iterator[Compared]:
    build = recorded.build
    if build.statement != statement.digest or not statement.complete:
        yield _differs(Of.RECORD, "the build's record has another hash of what is stated")
    of_record = statements.kept_part(recorded.raw_build, OF_RECORD)
    stated = part_of(statement.doc, *INTERNAL, "record")
    yield from _unlike(stated, of_record)
    captured = part_of(statement.doc, *EXTERNAL, "captured")
    if captured != statements.captured_part(build.captured) and not (
        captured is None and part_of(stated, "captured") is None
    ):
        yield _differs(Of.RECORD, "it is stated that another machine was captured, or none")
    said = (part_of(statement.doc, *EXTERNAL, "image"), part_of(statement.doc, *EXTERNAL, "build"))
    if said != build.id:
        yield _differs(Of.RECORD, f"it is stated of another build, {quote(said[0])}/{said[1]!r:.9}")
    native = recorded.uploads.get(build.place or "")
    if native is None or recorded.raw_native is None:
        return  # it is gone: copies are compared by what clouds show of them
    of_upload = statements.kept_part(recorded.raw_native, OF_UPLOAD)
    yield from _unlike(part_of(statement.doc, *INTERNAL, "upload"), of_upload)
    subject = part_of(statement.doc, "subject")
    if subject != [statements.subject_of(build, native)]:
        yield _differs(Of.RECORD, "it is stated of another image")


def _unlike(stated: object, recorded: Mapping[str, Any]) -> Iterator[Compared]:
    # What an older builder did not state cannot differ; nor does that pass for agreement.
    told = stated if isinstance(stated, Mapping) else dict.fromkeys(recorded, "nothing")
    for key in sorted(recorded.keys() - told.keys()):
        if recorded[key] is not None:
            why = f"{quote(key)} is on record, and its builder did not state whether it was"
            yield Compared(of=Of.RECORD, outcome=Outcome.UNKNOWN, why=why)
    for key in sorted(told):
        if told.get(key) != recorded.get(key):
            said, now = quote(told.get(key)), quote(recorded.get(key))
            yield _differs(Of.RECORD, f"{quote(key)}: {said} is stated, and {now} on record")


def _inventory(recorded: Recorded, statement: Statement) -> Compared:
    found, digest = recorded.inventory, recorded.build.inventory
    if isinstance(found, CorruptRecordError):
        return _differs(Of.INVENTORY, f"the list cannot be read: {found.why}")
    byproducts = part_of(statement.doc, "predicate", "runDetails", "byproducts")
    wanted = [] if digest is None else [{"name": "inventory", "digest": {"sha256": digest}}]
    if byproducts != wanted:
        return _differs(Of.INVENTORY, "the build's record has another hash of the list")
    if digest is None or found is None:
        why = "the machine told none" if digest is None else "the list was not kept"
        return Compared(of=Of.INVENTORY, outcome=Outcome.UNKNOWN, why=why)
    if found.digest != digest or not (found.cut or digest_of(found.items, found.measure) == digest):
        return _differs(Of.INVENTORY, "the list has another hash")
    if found.cut:
        return Compared(of=Of.INVENTORY, outcome=Outcome.UNKNOWN, why="its end was not kept")
    return Compared(of=Of.INVENTORY, outcome=Outcome.SAME)


def _signature(statement: Statement, keys: Sequence[Key] | None) -> Compared:
    if keys is None:
        why = "no public key is configured" if statement.key else "it is not signed"
        return Compared(of=Of.SIGNATURE, outcome=Outcome.UNKNOWN, why=why)
    if statement.key is None or statement.signature is None:
        return _differs(Of.SIGNATURE, "it is not signed")
    known = [one for one in keys if one.id == statement.key]
    if not known:
        return _differs(Of.SIGNATURE, f"it is signed with a key that is not known, {statement.key}")
    if not any(one.verifies(statement.signature, statement.signed) for one in known):
        return _differs(Of.SIGNATURE, "it is not of what is stated")
    return Compared(of=Of.SIGNATURE, outcome=Outcome.SAME)


# -- the recipe ------------------------------------------------------------------------------


def compare_recipe(
    recorded: Recorded, recipe: ImageRecipe | None, trees: Trees
) -> Iterator[Compared]:
    """Compare the scripts and files of a build with those of the recipe of now.

    Args:
        recorded: The records.
        recipe: None: there is none to compare with.
        trees: What its steps copy.
    """
    statement, provider = recorded.statement, recorded.build.provider or ""
    if not isinstance(statement, Statement):
        return
    if recipe is None or provider not in recipe.makings:
        why = "no recipe of it is configured here"
        yield Compared(of=Of.SCRIPT, outcome=Outcome.UNKNOWN, why=why)
        return
    asked = part_of(statement.doc, *EXTERNAL)
    steps = [(one.called, step_hash(one, trees)) for one in recipe.steps]
    checks = [(one.name or "a check", check_hash(one)) for one in recipe.checks_before]
    if part_of(asked, "leftOut"):  # there were too many to be listed: the hash of all tells
        steps, checks = _listed(asked, "steps", steps), _listed(asked, "checksBefore", checks)
    wrong = [
        *_other("step", part_of(asked, "steps"), steps),
        *_other("check before", part_of(asked, "checksBefore"), checks),
    ]
    if recipe.command is not None or part_of(asked, "command") is not None:
        wrong += _other_command(part_of(asked, "command", "sha256"), recipe, trees)
    now = fingerprint(recipe, provider, trees)
    if not wrong and part_of(asked, "recipe", "sha256") != now:
        wrong = ["base, user, variables, checks, or what is not listed, are others by now"]
    yield from (_differs(Of.SCRIPT, one) for one in wrong)
    if not wrong:
        yield Compared(of=Of.SCRIPT, outcome=Outcome.SAME)


def _other_command(stated: object, recipe: ImageRecipe, trees: Trees) -> list[str]:
    now = None if recipe.command is None else command_hash(recipe.command, trees)
    return [] if stated == now else ["the command, or what it reads, is another one by now"]


def _listed(asked: object, key: str, now: list[tuple[str, str]]) -> list[tuple[str, str]]:
    told = part_of(asked, key)
    return now[: len(told)] if isinstance(told, list) else now


def _other(kind: str, stated: object, now: Sequence[tuple[str, str]]) -> Iterator[str]:
    told = stated if isinstance(stated, list) else []
    for number, (name, digest) in enumerate(now[: len(told)], 1):
        if part_of(told[number - 1], "sha256") != digest:
            yield f"{kind} {number}, {name}, is another one by now"
    if len(told) != len(now):
        yield f"it was made with {len(told)} of kind {kind}, and there are {len(now)} by now"


# -- clouds ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """An image as a provider shows it.

    Attributes:
        image: None: it is not there.
        installation: Whose images are ours.
    """

    provider: str
    upload: Upload
    image: StoredImage | None
    installation: str


#: What a copy's tags have to say; its provider and its source may have changed since.
_OF_COPIES: Final = (tags.INSTALLATION, tags.IMAGE, tags.BUILD)
_OPEN: Final = frozenset({Visibility.PUBLIC, Visibility.COMMUNITY})


def compare_cloud(recorded: Recorded, seen: Seen) -> Iterator[Compared]:
    """Compare what a provider shows with the records."""
    image = seen.image
    if image is None:
        yield _differs(Of.IMAGE, "it is not there", seen.provider)
        return
    wrong = list(_wrong_bytes(recorded, seen, image))
    yield from wrong or [_bytes(seen, image)]
    wrong = list(_wrong_properties(recorded, seen, image))
    yield from wrong or [Compared(of=Of.PROPERTY, outcome=Outcome.SAME, where=seen.provider)]


def _wrong_bytes(recorded: Recorded, seen: Seen, image: StoredImage) -> Iterator[Compared]:
    upload, told = seen.upload, statements.digests(hash_of(image))
    pairs: list[tuple[str, object, object]] = [
        ("its state", ImageStatus.ACTIVE, image.status),
        ("its size", upload.size_bytes, image.size_bytes),
    ]
    if upload.os_hash is not None:
        pairs.append(("its hash", upload.os_hash, hash_of(image)))
    if isinstance(recorded.statement, Statement):
        doc = recorded.statement.doc
        size = part_of(doc, *INTERNAL, "upload", "size_bytes")
        pairs.append(("its size", image.size_bytes if size is None else size, image.size_bytes))
        for name, digest in _stated_hashes(doc):
            pairs.append(("its hash", digest, told.get(name, digest)))
            if name == "sha512" and upload.carried_sha512 is not None:
                pairs.append(("what was carried", digest, upload.carried_sha512))
    if upload.carried_sha512 is not None and "sha512" in told:
        pairs.append(("its hash", upload.carried_sha512, told["sha512"]))
    for what, wanted, there in dict.fromkeys(pairs):
        if wanted != there:
            why = f"{what} is {quote(there)}, not {quote(wanted)}"
            yield _differs(Of.IMAGE, why, seen.provider)


def _stated_hashes(doc: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """Yield the hashes of the snapshot that are stated, each with its algorithm."""
    stated = part_of(subject_in(doc), "digest")
    for name, digest in stated.items() if isinstance(stated, Mapping) else ():
        if isinstance(digest, str):
            yield str(name), digest


def _bytes(seen: Seen, image: StoredImage) -> Compared:
    if hash_of(image) is None:
        why = "the cloud has no hash of it: only its size was compared"
    elif seen.upload.os_hash is None:
        why = "no hash of it is on record: only its size was compared"
    else:
        return Compared(of=Of.IMAGE, outcome=Outcome.SAME, where=seen.provider)
    return Compared(of=Of.IMAGE, outcome=Outcome.UNKNOWN, where=seen.provider, why=why)


def _wrong_properties(recorded: Recorded, seen: Seen, image: StoredImage) -> Iterator[Compared]:
    wanted = dict(_wanted_properties(recorded, seen, image))
    there: dict[str, object] = {key: image.properties.get(key) for key in wanted}
    wanted["hidden"], there["hidden"] = True, image.hidden
    name = recorded.build.cloud_name
    if seen.upload.method is not Method.CARRY:
        wanted["its name"], there["its name"] = name, image.name
    for key in sorted(wanted):
        if wanted[key] != there[key]:
            why = f"{key} is {quote(there[key])}, not {quote(wanted[key])}"
            yield _differs(Of.PROPERTY, why, seen.provider)
    if image.visibility in _OPEN:
        yield _differs(Of.PROPERTY, f"everybody sees it: it is {image.visibility}", seen.provider)


def _wanted_properties(
    recorded: Recorded, seen: Seen, image: StoredImage
) -> Iterable[tuple[str, object]]:
    """Yield the properties that are ours, with what they have to say."""
    build = recorded.build
    carried = seen.upload.method is Method.CARRY
    ours = tags.make_image(
        tags.ImageTags(
            owner=tags.Owner(
                installation=seen.installation, provider=ProviderName(build.provider or "")
            ),
            image=build.id.image,
            build=str(build.id.number),
            name=image.name if carried else build.cloud_name or "",
        )
    )
    for key, value in ours.items():
        if not carried or key in {*_OF_COPIES, tags.IMAGE_NAME}:
            yield key, value
    if carried:
        yield from _of_a_copy(recorded, image)
    yield tags.STATEMENT, build.statement


def _of_a_copy(recorded: Recorded, image: StoredImage) -> Iterator[tuple[str, object]]:
    """Yield what nobody knows for sure of a copy, as it is if that can be."""
    provider, source = (image.properties.get(key) for key in (tags.PROVIDER, tags.COPY_OF))
    group = recorded.build.group
    yield tags.PROVIDER, provider if provider in group else f"one of {', '.join(group)}"
    others = [one.cloud_image for one in recorded.uploads.values() if one.cloud_image != image.id]
    yield tags.COPY_OF, source if source in {*others, recorded.build.snapshot} else "one of them"


def _differs(of: Of, why: str, where: str = "") -> Compared:
    return Compared(of=of, outcome=Outcome.DIFFERS, why=why, where=where)
