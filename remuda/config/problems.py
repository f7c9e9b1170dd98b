"""What is wrong with a configuration, and where."""

from dataclasses import asdict, dataclass

from remuda.redaction import redact_text


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Problem:
    """One complaint; problems sort by their place.

    Attributes:
        line: Counted from 1; 1 if the complaint is about the whole file.
        column: Counted from 1.
        path: Keys in dotted form, ``providers.osic.pools.main.labels.small``; empty: the file.
        message: What is wrong.
        hint: What to write instead; may be empty.
    """

    file: str
    line: int = 1
    column: int = 1
    path: str = ""
    message: str
    hint: str = ""

    def __post_init__(self) -> None:
        """Take secrets out of the words: they go into logs and into a record."""
        object.__setattr__(self, "message", redact_text(self.message))
        object.__setattr__(self, "hint", redact_text(self.hint))

    def __str__(self) -> str:
        """Write it in one line, as compilers do."""
        where = f"{self.path}: " if self.path else ""
        hint = f"; {self.hint}" if self.hint else ""
        return f"{self.file}:{self.line}:{self.column}: {where}{self.message}{hint}"

    def as_dict(self) -> dict[str, object]:
        """Return the fields by name, for JSON."""
        return asdict(self)


class ConfigInvalidError(ValueError):
    """The configuration cannot be used; nothing of it was applied.

    Attributes:
        problems: All of them, by place; at least one.
        warnings: What would have been warned of besides.
    """

    def __init__(self, problems: tuple[Problem, ...], warnings: tuple[Problem, ...] = ()) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems
        self.warnings = warnings
