"""Access rules of application credentials: what they let through, and what the sandbox refuses."""

import pytest

from sandbox.config import AccessRule
from sandbox.web.access_rules import allowed

_SERVERS = "/compute/RegionOne/v2.1/servers"


@pytest.mark.parametrize(
    ("rule", "path", "lets_through"),
    [
        ("/**/servers", _SERVERS, True),
        ("/v2.1/servers", "/v2.1/servers", True),
        ("/v2.1/servers", _SERVERS, False),
        ("/**/servers", f"{_SERVERS}/detail", False),
        ("/**/servers/*", f"{_SERVERS}/0-1", True),
        ("/**/servers/{server_id}", f"{_SERVERS}/0-1", True),
        ("/**/servers/*", f"{_SERVERS}/0-1/action", False),
        ("/**/servers/**", f"{_SERVERS}/0-1/action", True),
        ("/v2.1/servers", "/v2x1/servers", False),
    ],
)
def test_a_rule_is_about_a_whole_path(rule: str, path: str, *, lets_through: bool) -> None:
    """One star is one part of it, two are any."""
    rules = [AccessRule(service="compute", method="GET", path=rule)]

    assert allowed(rules, "compute", "GET", path) is lets_through


def test_service_and_method_count() -> None:
    """No rules at all leave everything open, and so does an empty list of them."""
    rules = [AccessRule(service="compute", method="GET", path="/**")]

    assert not allowed(rules, "compute", "DELETE", _SERVERS)
    assert not allowed(rules, "image", "GET", _SERVERS)
    assert allowed(None, "compute", "DELETE", _SERVERS)
    assert allowed([], "compute", "DELETE", _SERVERS)
