"""What is said to people."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RaiseAlarm:
    """Tell people; said once for each text."""

    image: str
    text: str

    @property
    def id(self) -> str:
        """What it is about."""
        return self.image
