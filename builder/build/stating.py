"""What a builder states of a build: drafted before its snapshot, completed with it. Pure.

The words are those of SLSA provenance (v1): external parameters are what people asked for,
internal ones what was decided for them; what went in are the resolved dependencies, by their
hashes. Of secrets there are names only, and no values of variables: the hashes of steps cover
them. What is too much to be listed is said to be left out; the hashes of steps cover that, too.
"""

import datetime as dt
import hashlib
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import PurePath
from typing import Any, Final

import remuda
from builder.build.release import Release
from remuda.config.fingerprint import (
    Trees,
    check_hash,
    command_hash,
    copied_paths,
    fingerprint,
    step_hash,
)
from remuda.config.imagecommand import ImageCommandFrom
from remuda.config.images import BuildStep
from remuda.config.parts import CheckFrom
from remuda.config.recipes import ImageRecipe
from remuda.images import statement as statements
from remuda.images.statement import BUILD_TYPE, PREDICATE, TYPE, Statement
from remuda.model.build import Base, Build
from remuda.model.codec import CorruptRecordError
from remuda.model.fields import one_line
from remuda.model.image import WORD_CHARS_MAX, Word
from remuda.model.upload import Upload

#: Steps and checks that are listed; a recipe has some dozens.
STEPS_MAX: Final = 200
#: Files that are listed, of all steps together.
FILES_MAX: Final = 300
#: The end of the year 9999, in seconds since the epoch: a record may say anything.
_LAST_S: Final = 253_402_300_799.0
_NAME_CHARS_MAX: Final = 200
_FILE_CHARS_MAX: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """What is known of a build once its machine is filled.

    Attributes:
        build: Being made: its machine, and what it started from, are known.
        trees: What stands at each path that steps copy.
        wanted: Whose command it was made by, or None.
        parent: Hash of what is stated of the build that it starts from, if anything is.
        release: Which system the machine runs.
        inventory: Hash of what is in it, or None: that is not known.
    """

    build: Build
    recipe: ImageRecipe
    installation: str
    trees: Trees = field(default_factory=dict)
    wanted: Word | None = None
    parent: str | None = None
    release: Release = field(default_factory=Release)
    inventory: str | None = None


def draft(making: Making, *, listed: bool = True) -> Statement:
    """Return what can be stated before there is a snapshot; not *listed*: without long lists."""
    build = making.build
    return statements.of_doc(
        {
            "_type": TYPE,
            "subject": [],
            "predicateType": PREDICATE,
            "predicate": {
                "buildDefinition": {
                    "buildType": BUILD_TYPE,
                    "externalParameters": _asked(making, listed=listed),
                    "internalParameters": {
                        "installation": making.installation,
                        "builder": build.owner,
                        "system": making.release.doc(),
                    },
                    "resolvedDependencies": list(_went_in(making, listed=listed)),
                },
                "runDetails": {
                    "builder": {
                        "id": f"urn:remuda:{making.installation}",
                        "version": {"remuda": remuda.__version__},
                    },
                    "metadata": {
                        "invocationId": f"{build.id} attempt {build.attempt + 1}",
                        "startedOn": _time(build.started_s or 0.0),
                    },
                    "byproducts": []
                    if making.inventory is None
                    else [{"name": "inventory", "digest": {"sha256": making.inventory}}],
                },
            },
        }
    )


def completed(drafted: Statement, build: Build, upload: Upload) -> Statement:
    """Return a statement of a whole snapshot.

    Args:
        drafted: What its builder stated before.
        build: As its record is to be.
        upload: The snapshot, as its record is to be.
    """
    doc = dict(drafted.doc)
    predicate = dict(doc["predicate"])
    definition, run = dict(predicate["buildDefinition"]), dict(predicate["runDetails"])
    definition["internalParameters"] = {
        **definition["internalParameters"],
        "record": statements.record_part(build),
        "upload": statements.upload_part(upload),
    }
    run["metadata"] = {**run["metadata"], "finishedOn": _time(build.ended_s or 0.0)}
    predicate |= {"buildDefinition": definition, "runDetails": run}
    doc |= {"predicate": predicate, "subject": [statements.subject_of(build, upload)]}
    return statements.of_doc(doc, complete=True)


def check_draft(drafted: Statement) -> None:
    """Refuse a draft that no builder has written.

    Raises:
        CorruptRecordError: It has not the parts that are completed.
    """
    inner = statements.part_of(drafted.doc, *statements.INTERNAL)
    metadata = statements.part_of(drafted.doc, "predicate", "runDetails", "metadata")
    if not isinstance(inner, dict) or not isinstance(metadata, dict):
        raise CorruptRecordError("draft of a statement", "it has no parameters")


def _asked(making: Making, *, listed: bool) -> dict[str, Any]:
    build, recipe, wanted = making.build, making.recipe, making.wanted
    steps, checks = recipe.steps, recipe.checks_before
    trees = {path: making.trees.get(path, ()) for path in copied_paths(recipe)}
    doc: dict[str, Any] = {
        "image": build.id.image,
        "build": build.id.number,
        "why": str(build.why),
        "providers": list(build.group),
        "recipe": {
            "fingerprint": build.fingerprint,
            "sha256": fingerprint(recipe, build.provider or "", trees),
        },
        "steps": [_step(one, trees, listed=listed) for one in steps[:STEPS_MAX]],
        "checksBefore": [_check(one) for one in checks[:STEPS_MAX]],
        "environment": sorted(recipe.environment) if listed else [],
        "secrets": list(_secrets(recipe)) if listed else [],
    }
    left_out = max(0, len(steps) - STEPS_MAX) + max(0, len(checks) - STEPS_MAX)
    if left_out:
        doc["leftOut"] = left_out
    if recipe.command is not None:
        doc["command"] = _command(recipe.command, making.trees, listed=listed)
    if build.captured is not None:
        doc["captured"] = statements.captured_part(build.captured)
    if wanted is not None:
        doc["wanted"] = {
            "who": one_line(wanted.who, WORD_CHARS_MAX),
            "why": one_line(wanted.why, WORD_CHARS_MAX),
            "at": _time(wanted.at_s),
        }
    return doc


def _secrets(recipe: ImageRecipe) -> tuple[str, ...]:
    """Return the names of the secrets that steps, or the command, have; not those looked for."""
    return () if recipe.capture is not None else recipe.needed_secrets


def _command(command: ImageCommandFrom, trees: Trees, *, listed: bool) -> dict[str, Any]:
    doc: dict[str, Any] = {
        "sha256": command_hash(command, trees),
        "diskFormat": command.disk_format,
    }
    return {**doc, "reads": len(command.reads)} if listed else doc


def _step(step: BuildStep, trees: Trees, *, listed: bool) -> dict[str, Any]:
    doc: dict[str, Any] = {
        "name": one_line(step.called, _NAME_CHARS_MAX),
        "sha256": step_hash(step, trees),
        "asRoot": step.as_root,
    }
    if step.packages is not None and listed:
        doc["packages"] = list(step.packages[:FILES_MAX])
    if step.secrets and listed:
        doc["secrets"] = sorted(step.secrets)
    return doc


def _check(check: CheckFrom) -> dict[str, Any]:
    kind = next(one for one in CheckFrom.choices[0].keys if getattr(check, one) is not None)
    name = one_line(check.name or kind, _NAME_CHARS_MAX)
    return {"name": name, "sha256": check_hash(check)}


def _went_in(making: Making, *, listed: bool) -> Iterator[dict[str, Any]]:
    build = making.build
    if build.parent is not None:
        parent: dict[str, Any] = {
            "name": f"parent: {build.parent}",
            "uri": f"urn:remuda:{making.installation}:build:{build.parent}",
        }
        yield parent if making.parent is None else {**parent, "digest": {"sha256": making.parent}}
    elif build.base is not None:  # of one with a parent, it is what that one came from
        yield _base(build.base)
    for number, step in enumerate(making.recipe.steps[:STEPS_MAX], 1):
        text = step.command if step.script is None else step.script.text
        if text is not None:
            name = one_line(step.called, _NAME_CHARS_MAX)
            yield _hashed(f"step {number}: {name}", hashlib.sha256(text.encode()).hexdigest())
    for number, check in enumerate(making.recipe.checks_before[:STEPS_MAX], 1):
        if check.script is not None:
            yield _hashed(f"check before {number}", check.script.sha256)
    command = making.recipe.command
    if command is not None:
        text = hashlib.sha256(command.text.encode()).hexdigest()
        yield _hashed("command", text)
    if listed:
        files = _files(making.recipe.steps[:STEPS_MAX], making.trees)
        yield from islice(chain(files, _read_files(command, making.trees)), FILES_MAX)


def _base(base: Base) -> dict[str, Any]:
    doc: dict[str, Any] = {
        "name": one_line(f"base: {base.name}", _NAME_CHARS_MAX),
        "uri": f"urn:openstack:image:{base.id}",
    }
    known = statements.digests(base.hash)
    return {**doc, "digest": known} if known else doc


def _files(steps: Sequence[BuildStep], trees: Trees) -> Iterator[dict[str, Any]]:
    """Yield the files that steps copy, by where they come to lie."""
    for number, step in enumerate(steps, 1):
        if step.copied is None:
            continue
        for entry in sorted(trees.get(step.copied.source, ())):
            if stat.S_ISREG(entry.mode):
                to = f"{step.copied.to}/{entry.path}" if entry.path else step.copied.to
                yield _hashed(one_line(f"step {number}: {to}", _FILE_CHARS_MAX), entry.content)


def _read_files(command: ImageCommandFrom | None, trees: Trees) -> Iterator[dict[str, Any]]:
    """Yield the files that a command reads, by where they lie within what its recipe names."""
    for number, one in enumerate(() if command is None else command.reads, 1):
        for entry in sorted(trees.get(one.path, ())):
            if stat.S_ISREG(entry.mode):
                name = f"read {number}: {entry.path or PurePath(one.path).name}"
                yield _hashed(one_line(name, _FILE_CHARS_MAX), entry.content)


def _hashed(name: str, sha256: str) -> dict[str, Any]:
    return {"name": name, "digest": {"sha256": sha256}}


def _time(at_s: float) -> str:
    """Return a time as RFC 3339 has it, in UTC."""
    return dt.datetime.fromtimestamp(min(at_s, _LAST_S), dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
