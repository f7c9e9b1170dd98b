"""What a file may have meant to say where it is wrong: so that nothing is said twice.

A complaint that would go away by itself once another one is seen to is left out: a key that is
there, but misspelled, is not missing as well. What does not depend on the wrong part is still
checked, so that all is told at once.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from remuda.config.base import Section
from remuda.config.document import Path
from remuda.config.name_guesses import meant_name
from remuda.config.raw import mapping
from remuda.config.report import Report
from remuda.config.shape import shapes
from remuda.config.use import uses_of


def misspelled(model: type[Section], raw: Mapping[str, object]) -> frozenset[str]:
    """Return the keys of *model* that are absent from *raw*, but look like a wrong one in it."""
    known = shapes(model)
    guesses = (meant_name(key, known) for key in raw if key not in known)
    return frozenset(key for key in guesses if key is not None and raw.get(key) is None)


@dataclass(frozen=True, slots=True)
class Coverage:
    """How far it is known which pool serves which label.

    Attributes:
        labels: The names of all labels; None: they cannot be known.
        complete: All pools and what they serve could be read.
        meant: Labels that a misspelled use may have meant.
    """

    labels: frozenset[str] | None
    complete: bool
    meant: frozenset[str]

    @classmethod
    def of(cls, data: object, report: Report) -> "Coverage":
        """Return what is known by *data*; *report* knows the flaws of the text."""
        top = mapping(data)
        labels = top.get("labels")
        readable = isinstance(labels, dict) and not report.flawed(("labels",))
        names = frozenset(mapping(labels))
        guesses = (meant_name(use.label, names) for use in uses_of(data) if use.label not in names)
        return cls(
            labels=names if readable else None,
            complete=all(
                isinstance(value, dict) and not report.flawed(path)
                for path, value in _containers(top)
            ),
            meant=frozenset(guess for guess in guesses if guess is not None),
        )

    def certain(self, label: str) -> bool:
        """Whether the uses of *label* that could be read are all there are."""
        return self.complete and label not in self.meant


def _containers(top: Mapping[str, object]) -> Iterator[tuple[Path, object]]:
    """Yield everything between the top and the labels of each pool."""
    providers = top.get("providers")
    yield ("providers",), providers
    for name, provider in mapping(providers).items():
        path: Path = ("providers", name)
        yield path, provider
        pools = mapping(provider).get("pools")
        yield (*path, "pools"), pools
        for pool_name, pool in mapping(pools).items():
            yield (*path, "pools", pool_name), pool
            yield (*path, "pools", pool_name, "labels"), mapping(pool).get("labels")
