"""Fault rules as people write them (YAML in the configuration, JSON at the control endpoint)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, Final

from sandbox.faults import EFFECT_OPERATIONS, Effect, EffectKind, Match, Rule, SshMode
from sandbox.reading import BadInputError, Reader

QUOTA_RESOURCES: Final = ("instances", "cores", "ram", "floatingip", "port")
_METHODS: Final = ("", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


def parse_rule(doc: object, *, path: str = "rule", default_id: str = "") -> Rule:
    """Read one rule.

    Raises:
        BadInputError: With one sentence per mistake, naming the field and what is known.
    """
    problems: list[str] = []
    rule = read_rule(Reader(doc, path, problems), default_id=default_id)
    if not isinstance(doc, Mapping):
        problems = [f"{path}: must be a mapping"]
    if problems:
        raise BadInputError(problems)
    return rule


def read_rule(reader: Reader, *, default_id: str = "") -> Rule:
    """Read one rule; mistakes go to the reader's problems."""
    effect = _effect(reader)
    rule = Rule(
        id=reader.text("id", default_id) or default_id,
        match=_match(reader.inner("match"), effect.kind),
        effect=effect,
        rate=reader.number("rate", 1.0, most=1.0),
        count=reader.whole("count", 0) if reader.has("count") else None,
        after=reader.whole("after", 0),
        enabled=reader.flag("enabled", default=True),
    )
    for answered in ("seen", "fired"):  # a rule may be put back as it was read
        reader.raw(answered)
    reader.close()
    return rule


def _effect(reader: Reader) -> Effect:
    kinds = [str(kind) for kind in EffectKind]
    if isinstance(reader.raw("effect"), str):
        return Effect(kind=EffectKind(reader.choice("effect", kinds, "http")))
    if not reader.has("effect"):
        reader.wrong("effect", f"is required; known are {', '.join(kinds)}")
        return Effect(kind=EffectKind.HTTP)
    inner = reader.inner("effect")
    if not inner.has("kind"):
        inner.wrong("kind", f"is required; known are {', '.join(kinds)}")
    effect = Effect(
        kind=EffectKind(inner.choice("kind", kinds, "http")),
        seconds=inner.number("seconds", 0.0),
        status=inner.whole("status", 503, least=400, most=599),
        retry_after_s=inner.number("retry_after", 0.0) if inner.has("retry_after") else None,
        text=inner.text("text", ""),
        mode=SshMode(inner.choice("mode", list(SshMode), "refuse")),
        resource=inner.choice("resource", QUOTA_RESOURCES, "instances"),
        fraction=inner.number("fraction", 1.0, most=1.0),
    )
    inner.close()
    return effect


def _match(reader: Reader, kind: EffectKind) -> Match:
    allowed = EFFECT_OPERATIONS.get(kind, ())
    operation = reader.text("operation", allowed[0] if allowed else "")
    fits = any(fnmatchcase(operation, each) or fnmatchcase(each, operation) for each in allowed)
    if allowed and not fits:
        reader.wrong(
            "operation",
            f"{operation!r} does not go with the effect {kind}, which"
            f" belongs to {', '.join(allowed)}",
        )
    path = reader.text("path", "")
    try:
        re.compile(path)
    except re.error as exc:
        reader.wrong("path", f"is not a regular expression: {exc}")
        path = ""
    match = Match(
        operation=operation,
        path=path,
        service=reader.text("service", ""),
        region=reader.text("region", ""),
        project=reader.text("project", ""),
        name=reader.text("name", ""),
        flavor=reader.text("flavor", ""),
        image=reader.text("image", ""),
        method=reader.choice("method", _METHODS, ""),
        metadata=tuple(sorted(reader.pairs("metadata").items())),
    )
    reader.close()
    return match


def rule_doc(rule: Rule, *, seen: int, fired: int) -> dict[str, Any]:
    """Write *rule* as :func:`parse_rule` reads it, plus what became of it."""
    match: dict[str, Any] = {
        name: getattr(rule.match, name)
        for name in (
            "operation",
            "service",
            "region",
            "project",
            "method",
            "path",
            "name",
            "flavor",
            "image",
        )
        if getattr(rule.match, name)
    }
    if rule.match.metadata:
        match["metadata"] = dict(rule.match.metadata)
    effect = rule.effect
    return {
        "id": rule.id,
        "enabled": rule.enabled,
        "match": match,
        "rate": rule.rate,
        "count": rule.count,
        "after": rule.after,
        "effect": {
            "kind": effect.kind,
            "seconds": effect.seconds,
            "status": effect.status,
            "retry_after": effect.retry_after_s,
            "text": effect.text,
            "mode": effect.mode,
            "resource": effect.resource,
            "fraction": effect.fraction,
        },
        "seen": seen,
        "fired": fired,
    }
