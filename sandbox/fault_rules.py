"""Fault rules as people write them (YAML in the configuration, JSON at the control endpoint)."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sandbox.faults import Rule, with_id
from sandbox.reading import read


def parse_rule(doc: object, *, path: str = "rule", default_id: str = "") -> Rule:
    """Read one rule.

    Raises:
        BadInputError: With one sentence per mistake, naming the field and what is known.
    """
    return read(Rule, with_id(doc, default_id), path=path)


def rule_doc(rule: Rule, *, seen: int, fired: int) -> dict[str, Any]:
    """Write *rule* as :func:`parse_rule` reads it, plus what became of it."""
    match = {name: value for name, value in asdict(rule.match).items() if value}
    effect = asdict(rule.effect)
    effect["retry_after"] = effect.pop("retry_after_s")
    if rule.match.metadata:
        match["metadata"] = dict(rule.match.metadata)
    return {**asdict(rule), "match": match, "effect": effect, "seen": seen, "fired": fired}
