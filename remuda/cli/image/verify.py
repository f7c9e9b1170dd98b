"""`remuda image verify`: whether a build is what is stated of it, by records, clouds and keys."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

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
from remuda.cloud.api import CloudError, GoneError
from remuda.config import loader, trees
from remuda.config.fingerprint import Trees, copied_paths
from remuda.config.model import Config
from remuda.config.recipes import ImageRecipe, recipes
from remuda.config.sources import UnreadableError
from remuda.images import library
from remuda.images.catalogue import Catalogue
from remuda.images.verifying import (
    Compared,
    Of,
    Outcome,
    Recorded,
    Seen,
    compare,
    compare_cloud,
    compare_recipe,
)
from remuda.model.image import BuildId
from remuda.model.installation import decode_installation
from remuda.model.upload import Upload, UploadState
from remuda.signing import (
    SigningKeyError,
    VerifyingKey,
    read_signing_key,
    read_verifying_keys,
)
from remuda.store import paths
from remuda.store.api import Store

#: Clouds that are asked at once.
_CLOUDS_MAX: Final = 16
#: There is no image any more, or not yet.
_NO_IMAGE: Final = frozenset(
    {UploadState.PENDING, UploadState.MAKING, UploadState.FAILED, UploadState.DELETING}
)
_FAILS: Final = frozenset({Outcome.DIFFERS, Outcome.AWAY})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asking:
    """How a provider is asked for the image of a build.

    Attributes:
        installation: Whose images are ours.
    """

    context: CommandContext
    config: Config
    recorded: Recorded
    installation: str

    def ask(self, provider: str) -> tuple[str | None, list[Compared]]:
        """Return the place in which a provider lies, if it tells, and what came of comparing."""
        try:
            with self.context.open_images(self.config, provider) as images:
                place = images.location().place
                upload = self.recorded.uploads.get(place)
                if upload is None or not _has_image(upload):
                    return place, []
                try:
                    image = images.get_image(upload.cloud_image or "")
                except GoneError:
                    image = None
        except CloudError as exc:
            why = f"the cloud could not be asked: {exc}"
            return None, [Compared(of=Of.IMAGE, outcome=Outcome.AWAY, where=provider, why=why)]
        seen = Seen(provider=provider, upload=upload, image=image, installation=self.installation)
        return place, list(compare_cloud(self.recorded, seen))


@click.command(
    cls=ImageCommand,
    examples=(
        "remuda image verify debian-ci/12",
        "remuda image verify debian-ci/12 --public-key signing.pub --json",
    ),
)
@click.argument(
    "build_id",
    callback=build_name,
    metavar="IMAGE/N",
    shell_complete=complete_builds,
)
@click.option(
    "--public-key",
    metavar="FILE",
    help="Public keys, by one of which it has to be signed; else those of image-signing.",
)
@click.option(
    "--any-recipe", is_flag=True, help="Do not compare it with the recipe as it is by now."
)
@JSON
@with_context
def verify(
    *,
    context: CommandContext,
    build_id: BuildId,
    public_key: str | None,
    any_recipe: bool,
    as_json: bool,
) -> None:
    """Compare what is stated of a build with records, recipe, clouds and signature."""
    config = None if context.config is None else loader.load_for_user(context.config)
    made = config if isinstance(config, Config) else None
    keys = _keys(made, public_key)
    with context.store() as store:
        seen = Catalogue(
            library.read(store, only=[build_id.image], launched=False, just_looking=True)
        )
        broken = list(_broken(seen, build_id))
        findings = broken
        if paths.build(build_id) not in seen.library.unreadable:
            require_image(seen, store, context, build_id.image)
            require_build(seen, build_id)
            recorded = read_recorded(store, seen, seen.builds[build_id.image][build_id.number])
            findings = [*broken, *compare(recorded, keys)]
            if not any_recipe:
                findings += _recipe(recorded, made)
            findings += _clouds(context, made, recorded, _installation(store))
    wrong = [one for one in findings if one.outcome in _FAILS]
    if as_json:
        output.emit_json(
            {
                "build": str(build_id),
                "verified": _verified(findings),
                "compared": [
                    {
                        "of": str(one.of),
                        "where": one.where or None,
                        "result": str(one.outcome),
                        "why": one.why or None,
                    }
                    for one in findings
                ],
            }
        )
    else:
        output.show([_sheet(findings)])
    if wrong:
        places = {f"{one.of} in {one.where}" if one.where else str(one.of) for one in wrong}
        named = ", ".join(sorted(places))
        raise CommandFailedError(f"{build_id} is not verified: {named}", 1)
    if _verified(findings) is None:
        why = "; ".join(one.why for one in findings)
        raise MistakeError(f"there is nothing to verify of {build_id}: {why}")


def _verified(findings: Sequence[Compared]) -> bool | None:
    """Return what came of it all; None: nothing could be compared, so that nobody knows."""
    results = {one.outcome for one in findings}
    if results <= {Outcome.UNKNOWN}:
        return None
    return not results & _FAILS


def _sheet(findings: Sequence[Compared]) -> Sheet:
    rows = [(str(one.of), one.where or "-", str(one.outcome), one.why or "-") for one in findings]
    return Sheet(columns=("COMPARED", "IN", "RESULT", "WHY"), rows=rows, data=None)


def _broken(seen: Catalogue, build_id: BuildId) -> Iterator[Compared]:
    """Yield the records of a build that cannot be read."""
    mine = paths.build(build_id)
    for path in seen.library.unreadable:
        if path == mine or path.startswith(f"{mine}/"):
            why = f"{path} cannot be read"
            yield Compared(of=Of.RECORD, outcome=Outcome.DIFFERS, why=why)


def _has_image(upload: Upload) -> bool:
    return upload.cloud_image is not None and upload.state not in _NO_IMAGE


def _installation(store: Store) -> str:
    stored = store.read(paths.INSTALLATION)
    return "" if stored is None else decode_installation(paths.INSTALLATION, stored.value)


def _keys(config: Config | None, public_key: str | None) -> Sequence[VerifyingKey] | None:
    """Return the public keys to verify with, or None: nobody has named any.

    Raises:
        MistakeError: They cannot be used.
    """
    signing = None if config is None else config.image_signing
    file = public_key or (None if signing is None else signing.public_key_file)
    try:
        if file is not None:
            return read_verifying_keys(file)
        file = None if signing is None else signing.key_file
        if file is None or not Path(file).exists():
            return None  # the private key lies on the hosts of builders only
        return (read_signing_key(file).public,)
    except SigningKeyError as exc:
        raise MistakeError(f"key file {file} {exc}") from exc


def _recipe(recorded: Recorded, config: Config | None) -> Iterator[Compared]:
    recipe = None if config is None else _recipe_of(config, recorded.build.id.image)
    try:
        found = {} if recipe is None else _trees(recipe)
        yield from compare_recipe(recorded, recipe, found)
    except (UnreadableError, ValueError) as exc:  # ValueError: of a script that was not read
        why = f"the recipe cannot be read here: {exc}"
        yield Compared(of=Of.SCRIPT, outcome=Outcome.UNKNOWN, why=why)


def _recipe_of(config: Config, image: str) -> ImageRecipe | None:
    return recipes(config.images, config.image_defaults, config.providers).get(image)


def _trees(recipe: ImageRecipe) -> Trees:
    found = {}
    for path in copied_paths(recipe):
        try:
            found[path] = trees.read(Path(path))
        except UnreadableError as exc:
            raise UnreadableError(f"{path} {exc}") from None
    return found


def _clouds(
    context: CommandContext, config: Config | None, recorded: Recorded, installation: str
) -> Iterator[Compared]:
    """Compare each image in a cloud with the records, by every provider that has it."""
    uploads = {place: one for place, one in recorded.uploads.items() if _has_image(one)}
    if not uploads:
        return
    if config is None:
        why = "no cloud was asked: give --config FILE, with its providers"
        yield Compared(of=Of.IMAGE, outcome=Outcome.UNKNOWN, why=why)
        return
    named = {*recorded.build.group, *(one for each in uploads.values() for one in each.trials)}
    asked = sorted(named & config.providers.keys())
    asking = _Asking(context=context, config=config, recorded=recorded, installation=installation)
    with ThreadPoolExecutor(min(_CLOUDS_MAX, len(asked) or 1)) as pool:
        answers = list(pool.map(asking.ask, asked))
    for _, findings in answers:
        yield from findings
    if any(place is None for place, _ in answers):
        return  # who did not answer may lie there
    for place in sorted(uploads.keys() - {place for place, _ in answers}):
        why = "no provider of the configuration lies there"
        yield Compared(of=Of.IMAGE, outcome=Outcome.UNKNOWN, where=place, why=why)
