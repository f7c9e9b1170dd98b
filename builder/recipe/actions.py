"""What may be done next with recipes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReadRecipes:
    """Read the files that recipes copy anew: what they hold is part of what is made."""

    id: str = "recipes"
