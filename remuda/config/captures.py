"""Of whose machines an image is made, for holders who ask for it."""

from pydantic import Field

from remuda.config.base import Section
from remuda.config.parts import Pattern


class CaptureFrom(Section):
    """Whose machines become an image, when their holders ask for it (`remuda image capture`)."""

    labels: tuple[Pattern, ...] = Field(
        min_length=1,
        description="Labels of such machines: regular expressions, each for a whole name. None of "
        "those that are secret.",
    )
    requestors: tuple[Pattern, ...] = Field(
        min_length=1,
        description="Who may ask, by the name under which the machine was requested: regular "
        "expressions, each for a whole name.",
    )
