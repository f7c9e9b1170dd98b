"""Compute microversions: which version a call asks for, and how an answer says so.

Source: Nova's "Microversions" page; both the old and the new header are understood.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from sandbox.web.errors import ApiError

LOWEST: Final = (2, 1)
HIGHEST: Final = (2, 96)


def text(version: tuple[int, int]) -> str:
    """Write a version as clients do: ``2.96``."""
    return f"{version[0]}.{version[1]}"


def asked(headers: Mapping[str, str]) -> tuple[int, int]:
    """Return the version the headers ask for; the lowest if they do not.

    Raises:
        ApiError: 400 or 406, if it is no version or not one we speak.
    """
    words = headers.get("OpenStack-API-Version", "").split()
    value = headers.get("X-OpenStack-Nova-API-Version", "")
    if len(words) == 2 and words[0] == "compute":  # noqa: PLR2004 - "compute 2.96"
        value = words[1]
    if not value:
        return LOWEST
    if value == "latest":
        return HIGHEST
    found = re.fullmatch(r"(\d+)\.(\d+)", value)
    if not found:
        raise ApiError(
            400,
            f"API Version String {value} is of invalid format. Must be of format"
            " MajorNum.MinorNum.",
        )
    version = (int(found[1]), int(found[2]))
    if not LOWEST <= version <= HIGHEST:
        raise ApiError(
            406,
            f"Version {value} is not supported by the API. Minimum is"
            f" {text(LOWEST)} and maximum is {text(HIGHEST)}.",
        )
    return version


def headers(version: tuple[int, int]) -> dict[str, str]:
    """Return the headers of an answer given in *version*."""
    return {
        "OpenStack-API-Version": f"compute {text(version)}",
        "X-OpenStack-Nova-API-Version": text(version),
        "Vary": "OpenStack-API-Version, X-OpenStack-Nova-API-Version",
    }
