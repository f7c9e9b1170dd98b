"""Access rules of application credentials, as keystonemiddleware judges them.

A call is allowed if one rule names its service, its method and its path, which is that of the
whole URL: an endpoint below a prefix needs rules with that prefix, or with ``/**/``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from sandbox.config import AccessRule

_PARTS: Final = re.compile(r"(?P<rest>\*\*)|(?P<one>\*|\{[^}]*\})|(?P<plain>[^*{]+|\{)")


def allowed(rules: Sequence[AccessRule] | None, service: str, method: str, path: str) -> bool:
    """Say whether a call is within *rules*; with none at all, or None, there is no bound.

    Keystone does not show an empty list to the services, so that it lets everything through.
    """
    return not rules or any(
        each.service == service and each.method == method and _pattern(each.path).fullmatch(path)
        for each in rules
    )


@lru_cache(maxsize=1000)
def _pattern(text: str) -> re.Pattern[str]:
    made = ""
    for part in _PARTS.finditer(text):
        if part["rest"]:
            made += ".*"
        else:
            made += "[^/]+" if part["one"] else re.escape(part["plain"])
    return re.compile(made)
