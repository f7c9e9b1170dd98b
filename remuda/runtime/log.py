"""What daemons need of a logger: events named ``noun.verb`` with fields."""

from typing import Any, Protocol


class Log(Protocol):
    """A structured logger; ``remuda.logs`` makes real ones."""

    def debug(self, event: str, **fields: Any) -> Any:
        """Log what only a developer wants to know."""

    def info(self, event: str, **fields: Any) -> Any:
        """Log a change of state."""

    def warning(self, event: str, **fields: Any) -> Any:
        """Log what an operator should look at."""

    def error(self, event: str, **fields: Any) -> Any:
        """Log what an operator must look at, or a bug of ours."""
