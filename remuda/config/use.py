"""Which pool serves which label, as the file says it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from remuda.config.document import Path
from remuda.config.raw import entries, mapping


@dataclass(frozen=True, slots=True)
class Use:
    """One label in one pool; the mappings are as written and may hold anything."""

    label: str
    path: Path
    provider: Mapping[str, object]
    pool: Mapping[str, object]
    entry: Mapping[str, object]


def uses_of(data: object) -> Iterator[Use]:
    """Yield every label of every pool."""
    for provider_name, provider in entries(data, "providers"):
        for pool_name, pool in entries(provider, "pools"):
            for label, entry in mapping(pool.get("labels")).items():
                path = ("providers", provider_name, "pools", pool_name, "labels", label)
                yield Use(label, path, provider, pool, mapping(entry))
