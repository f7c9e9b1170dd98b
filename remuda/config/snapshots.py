"""Take-home images: which held machines become images, for whom, and for how long."""

from typing import Annotated

from pydantic import AfterValidator, Field

from remuda.config.base import Duration, Section
from remuda.config.images import SecretFrom
from remuda.config.imagevalues import check_variable
from remuda.config.parts import Pattern


def _secrets(values: dict[str, SecretFrom]) -> dict[str, SecretFrom]:
    for name in values:
        check_variable(name)
    return values


class SnapshotsFrom(Section):
    """Held machines that become images of their developers (`remuda hold NODE --snapshot`)."""

    labels: tuple[Pattern, ...] = Field(
        default=(".*",),
        min_length=1,
        description="Labels of such machines: regular expressions, each for a whole name. None of "
        "those that are secret.",
    )
    requestors: tuple[Pattern, ...] = Field(
        default=(".*",),
        min_length=1,
        description="Whose machines: regular expressions, each for the whole name under which the "
        "machine was requested.",
    )
    max_age: Duration = Field(
        default=30 * 86_400.0, ge=60, description="No image is kept for longer."
    )
    share: bool = Field(
        default=True, description="Whether images may be shared with other projects of the cloud."
    )
    public: bool = Field(
        default=False, description="Whether images may be made everybody's in the cloud."
    )
    secrets: Annotated[dict[str, SecretFrom], AfterValidator(_secrets)] = Field(
        default_factory=dict,
        description="Values that no such image may hold. They are told to the machine, to be "
        "looked for: name none that its job may not know.",
    )
