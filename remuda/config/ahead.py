"""What this version reads already and nobody can use yet: images, which want a builder.

Until there is one every command refuses a file that names images, in one sentence, and neither
the reference nor the JSON Schema shows them. The builder's arrival takes this module away: the keys
of these classes then move to those that they extend, the loader loses its argument ``model``, and
with it the call of ``refuse_images``.
"""

from typing import Annotated, ClassVar, Final

from pydantic import BeforeValidator, Field

from remuda.config.base import Choice, Name
from remuda.config.document import Path
from remuda.config.images import ImageDefaults, RecipeFrom
from remuda.config.model import Config, Pool, PoolLabel, Provider
from remuda.config.parts import ImageFrom, named
from remuda.config.problems import Report
from remuda.config.raw import mapping
from remuda.config.use import uses_of

#: The one sentence, and what to do.
NO_BUILDER: Final = "this version has no builder yet, so that it cannot make images"
_INSTEAD: Final = (
    "name images that the cloud has, and take away images:, image-defaults: and built:"
)


class OwnImageFrom(ImageFrom):
    """Which image: one of id, name, the newest that matches, or one of ours."""

    choices: ClassVar[tuple[Choice, ...]] = (
        Choice(("id", "name", "match", "built")),
        Choice(("id", "properties"), least=0),
        Choice(("built", "properties"), least=0),
    )

    built: Name | None = Field(
        default=None, description="One of images:; its current build in this provider."
    )


class OwnPoolLabel(PoolLabel):
    """How this pool makes a node of a label."""

    image: Annotated[
        OwnImageFrom, BeforeValidator(named, json_schema_input_type=str | OwnImageFrom)
    ] = Field(description="Image name, or a mapping that says how to find it.")


class OwnPool(Pool):
    """A slice of a provider, with its own limits."""

    labels: dict[Name, OwnPoolLabel] = Field(  # type: ignore[assignment] # narrower, and frozen
        min_length=1, description="What it can make, and how."
    )


class OwnProvider(Provider):
    """One region of one account."""

    pools: dict[Name, OwnPool] = Field(  # type: ignore[assignment] # narrower, and frozen
        min_length=1, description="Its slices."
    )


class ConfigWithImages(Config):
    """The whole file."""

    providers: dict[Name, OwnProvider] = Field(  # type: ignore[assignment] # narrower, and frozen
        min_length=1, description="Who makes nodes."
    )
    image_defaults: ImageDefaults = Field(
        default_factory=ImageDefaults, description="What holds for all images."
    )
    images: dict[Name, RecipeFrom] = Field(
        default_factory=dict, description="What builders make, for labels to name as built."
    )


def refuse_images(model: type[Config], data: dict[str, object], report: Report) -> None:
    """Say once that nobody makes images, and take out of *data* what names them.

    Nothing happens to a *model* that knows images.
    """
    if issubclass(model, ConfigWithImages):
        return
    sections: list[Path] = [(key,) for key in ("images", "image-defaults") if key in data]
    labels: list[Path] = [
        (*use.path, "image") for use in uses_of(data) if "built" in mapping(use.entry.get("image"))
    ]
    if sections or labels:
        report.problem((sections or labels)[0], NO_BUILDER, _INSTEAD, at_key=True)
    for path in sections:
        del data[str(path[0])]
    for path in labels:
        report.unread(path)
