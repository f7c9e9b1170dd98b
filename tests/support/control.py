"""Calling the control endpoint of a sandbox, as its clouds.yaml says."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Mapping
from typing import Any


def ask_control(control: Mapping[str, str], method: str, path: str, body: object = None) -> Any:
    """Return what the endpoint answers.

    Args:
        control: ``sandbox_control`` of an entry in clouds.yaml: url and token.
        method: HTTP method.
        path: Below the endpoint.
        body: Sent as JSON.

    Raises:
        urllib.error.HTTPError: If it refuses.
    """
    request = urllib.request.Request(  # noqa: S310 - our own loopback server
        control["url"] + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={
            "Content-Type": "application/json",
            "Authorization": f"Bearer {control['token']}",
        },
    )
    with urllib.request.urlopen(request, timeout=60.0) as answer:  # noqa: S310
        return json.loads(answer.read() or b"null")
