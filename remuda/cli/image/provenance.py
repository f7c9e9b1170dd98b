"""`remuda image provenance`: who made a build, from what, and what is in it."""

from collections.abc import Iterator
from typing import Any

import click

from remuda.cli import output
from remuda.cli.context import CommandContext, with_context
from remuda.cli.errors import CommandFailedError, MistakeError
from remuda.cli.image.arguments import (
    JSON,
    ImageCommand,
    build_name,
    require_build,
    require_image,
)
from remuda.cli.image.completing import complete_builds
from remuda.cli.image.stated import read_recorded
from remuda.cli.output import Sheet
from remuda.images import library
from remuda.images.catalogue import Catalogue
from remuda.images.inventory import Inventory
from remuda.images.sbom import make_sbom
from remuda.images.statement import DEFINITION, EXTERNAL, INTERNAL, Statement, part_of
from remuda.images.verifying import Recorded, why_unstated
from remuda.model.codec import CorruptRecordError
from remuda.model.image import BuildId

_RUN = ("predicate", "runDetails")
#: Of a digest, as a table shows it.
_DIGITS = 64


@click.command(
    cls=ImageCommand,
    examples=(
        "remuda image provenance debian-ci/12",
        "remuda image provenance debian-ci/12 --sbom >debian-ci-12.cdx.json",
    ),
)
@click.argument(
    "build_id",
    callback=build_name,
    metavar="IMAGE/N",
    shell_complete=complete_builds,
)
@click.option("--sbom", is_flag=True, help="Print its packages as CycloneDX instead.")
@click.option("--envelope", is_flag=True, help="Print the signed statement, as DSSE, instead.")
@JSON
@with_context
def provenance(
    *, context: CommandContext, build_id: BuildId, sbom: bool, envelope: bool, as_json: bool
) -> None:
    """Show what is stated of a build: by whom, from what and how it was made."""
    if sbom and envelope:
        raise MistakeError("--sbom and --envelope print different documents: ask for one of them")
    with context.store() as store:
        seen = Catalogue(
            library.read(store, only=[build_id.image], launched=False, just_looking=True)
        )
        require_image(seen, store, context, build_id.image)
        require_build(seen, build_id)
        recorded = read_recorded(store, seen, seen.builds[build_id.image][build_id.number])
    statement = _statement(recorded)
    if sbom:
        output.emit_json(make_sbom(statement, _packages(recorded)))
    elif envelope:
        output.emit_json(statement.envelope())
    elif as_json:
        output.emit_json(dict(statement.doc))
    else:
        output.show([_facts(statement), _inputs(statement)])


def _statement(recorded: Recorded) -> Statement:
    build_id, found = recorded.build.id, recorded.statement
    if isinstance(found, CorruptRecordError):
        raise CommandFailedError(f"what is stated of {build_id} cannot be read: {found.why}", 1)
    if found is None:
        why = why_unstated(recorded.build)
        raise CommandFailedError(f"nothing is stated of {build_id}: {why}", 1)
    return found


def _packages(recorded: Recorded) -> Inventory:
    build_id, found = recorded.build.id, recorded.inventory
    if isinstance(found, CorruptRecordError):
        raise CommandFailedError(f"the packages of {build_id} cannot be read: {found.why}", 1)
    if found is None:
        raise CommandFailedError(f"the packages of {build_id} are not on record", 1)
    return found


def _facts(statement: Statement) -> Sheet:
    doc = statement.doc
    asked, inner = part_of(doc, *EXTERNAL), part_of(doc, *INTERNAL)
    metadata = part_of(doc, *_RUN, "metadata")
    wanted, secrets = part_of(asked, "wanted"), part_of(asked, "secrets")
    facts = [
        ("build", f"{_text(asked, 'image')}/{_text(asked, 'build')}"),
        ("why", _text(asked, "why")),
        ("wanted by", "" if wanted is None else f"{_text(wanted, 'who')}: {_text(wanted, 'why')}"),
        ("recipe", _text(asked, "recipe", "sha256")),
        ("command", _text(asked, "command", "sha256")),
        ("builder", _text(inner, "builder")),
        ("remuda", _text(doc, *_RUN, "builder", "version", "remuda")),
        ("provider", _text(inner, "record", "provider")),
        ("place", _text(inner, "record", "place")),
        ("system", f"{_text(inner, 'system', 'id')} {_text(inner, 'system', 'version')}".strip()),
        ("started", _text(metadata, "startedOn")),
        ("finished", _text(metadata, "finishedOn")),
        *(("image", text) for text in _digests(part_of(doc, "subject"))),
        ("secrets", ", ".join(map(str, secrets if isinstance(secrets, list) else ()))),
        ("statement", statement.digest),
        ("signed by", "nobody" if statement.key is None else f"key {statement.key}"),
    ]
    rows = [(name, text) for name, text in facts if text]
    return Sheet(columns=("FACT", "VALUE"), rows=rows, data=None)


def _inputs(statement: Statement) -> Sheet:
    found = part_of(statement.doc, *DEFINITION, "resolvedDependencies")
    rows = [
        (_text(one, "name"), next(iter(_digests([one])), _text(one, "uri") or "-"))
        for one in (found if isinstance(found, list) else ())
    ]
    return Sheet(columns=("MADE FROM", "HASH, OR ID"), rows=rows, data=None, title="inputs")


def _digests(descriptors: object) -> Iterator[str]:
    for one in descriptors if isinstance(descriptors, list) else ():
        digest = part_of(one, "digest")
        for name, value in digest.items() if isinstance(digest, dict) else ():
            text = str(value)
            yield f"{name}:{text[:_DIGITS]}{'…' if len(text) > _DIGITS else ''}"


def _text(doc: Any, *keys: str) -> str:
    found = part_of(doc, *keys) if keys else doc
    return "" if found is None else str(found)
