"""What may be done next with an image as a whole."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MakeImage:
    """Put an image of the configuration on record."""

    id: str
