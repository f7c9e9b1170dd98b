"""deploy/openstack/access-rules.json: the calls that the code makes, every one and no other."""

import ast
import json
from collections.abc import Iterator
from typing import Final

import pytest

from sandbox.config import AccessRule
from sandbox.web.access_rules import allowed
from tests.support.source import ROOT

RULES: Final = ROOT / "deploy/openstack/access-rules.json"
#: What Keystone takes for one (keystone.application_credential.schema, access rules).
_PATH_CHARS_MAX: Final = 128
#: Calls whose path or method is a variable where they are made: what these may be.
_VARIABLE: Final = {
    ("openstack_images.py", "stream"): [("image", "GET", "/**/images/*/file")],
    # Containers and objects have any name, so that there is nothing to tell them by.
    ("openstack_objects.py", "stream"): [("object-store", "GET", "/**")],
    ("openstack_objects.py", "call"): [
        ("object-store", method, "/**") for method in ("DELETE", "GET", "HEAD", "POST", "PUT")
    ],
    ("object_upload.py", "call"): [
        ("object-store", method, "/**") for method in ("DELETE", "HEAD", "PUT")
    ],
    ("ports.py", "call"): [
        ("network", "DELETE", "/**/ports/*"),
        ("network", "PUT", "/**/ports/*"),
    ],
    # Named where the helpers around them are called; and `ping` asks for what others ask for.
    ("openstack_inspection.py", "call"): [
        ("compute", "POST", "/**/servers"),
        ("compute", "POST", "/**/servers/*/action"),
        ("compute", "DELETE", "/**/servers/*"),
        ("compute", "GET", "/**/limits"),
        ("image", "GET", "/**/images"),
        ("network", "GET", "/**/networks"),
    ],
    ("openstack_inspection.py", "pages"): [
        ("network", "GET", "/**/networks"),
        ("network", "GET", "/**/security-groups"),
    ],
}
Rule = tuple[str, str, str]
#: What only tests ask for, by the methods of an ImageStore that do: no rule is needed.
_OF_TESTS: Final = {
    "members": [("image", "GET", "/**/images/*/members")],
    "deactivate": [("image", "POST", "/**/images/*/actions/deactivate")],
    "reactivate": [("image", "POST", "/**/images/*/actions/reactivate")],
}


def _parts(node: ast.expr) -> list[str] | None:
    """Return a path's parts, ``*`` for an id; None if it is made elsewhere."""
    if isinstance(node, ast.Tuple):
        found = []
        for each in node.elts:
            if isinstance(each, ast.Constant):
                found.append(str(each.value))
            elif isinstance(each, ast.Name) and each.id == "_MEMBERS":
                found.append("members")
            elif isinstance(each, ast.IfExp):
                texts = [one.value for one in (each.body, each.orelse)]  # type: ignore[attr-defined]
                found.append("|".join(texts))
            else:
                found.append("*")
        return found
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "servers.path":
        return ["servers", "*", *(str(one.value) for one in node.args[1:])]  # type: ignore[attr-defined]
    return None


def _rules_of(file: str, call: ast.Call) -> Iterator[Rule]:
    kind = call.func.attr  # type: ignore[attr-defined]
    words = list(call.args)
    method = "GET" if kind != "call" else None
    if method is None and isinstance(words[1], ast.Constant):
        method = str(words[1].value)
    where = words[2] if kind == "call" else words[1]
    parts = _parts(where)
    if method is None or parts is None or not isinstance(words[0], ast.Constant):
        assert (file, kind) in _VARIABLE, f"{file}:{call.lineno}: which call is this?"
        yield from _VARIABLE[file, kind]
        return
    service = str(words[0].value)
    for last in parts[-1].split("|"):
        yield service, method, "/".join(["/**", *parts[:-1], last])


def calls_of_the_code() -> set[Rule]:
    """Return all calls that are made through a Wire, by what their paths look like."""
    found = set()
    for file in sorted((ROOT / "remuda/cloud").glob("*.py")):
        if file.name == "wire.py":
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in {"call", "pages", "stream"}
                and ast.unparse(node.func.value).endswith("wire")
            ):
                found.update(_rules_of(file.name, node))
    return found


def test_the_rules_are_the_calls_that_we_make() -> None:
    """A call without a rule would be refused in production; a rule without a call lets too much."""
    rules = json.loads(RULES.read_text())
    named = [(one["service"], one["method"], one["path"]) for one in rules]
    needless = {rule for rules in _OF_TESTS.values() for rule in rules}
    assert sorted(calls_of_the_code() - needless) == named
    assert needless <= calls_of_the_code()
    assert all(set(one) == {"service", "method", "path"} for one in rules)
    assert all(len(path) <= _PATH_CHARS_MAX for _, _, path in named)


def test_what_has_no_rule_is_called_by_no_process() -> None:
    """Whoever begins to call one of these methods has to give it its rule back."""
    callers = [
        f"{file.relative_to(ROOT)}:{node.lineno}: {node.func.attr}"
        for part in ("remuda", "launcher", "builder", "requestor")
        for file in sorted((ROOT / part).rglob("*.py"))
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in _OF_TESTS
    ]

    assert callers == []


@pytest.mark.parametrize(
    "endpoint",
    [
        "/v2",
        "/v2.1",
        "/v2.0",
        "/compute/v2.1",
        "/v2.1/0123456789abcdef",
        "/a/cloud/v2.1/0123456789abcdef",
    ],
)
def test_rules_hold_below_any_endpoint(endpoint: str) -> None:
    """Behind a prefix, with a project in the path, and with neither; but always below a version."""
    rules = [AccessRule(**one) for one in json.loads(RULES.read_text())]

    for one in rules:
        path = endpoint + one.path.removeprefix("/**").replace("*", "0-1")
        assert allowed(rules, one.service, one.method, path), path


@pytest.mark.parametrize(
    ("service", "method", "path"),
    [
        ("compute", "GET", "/v2.1/os-volumes"),
        ("compute", "POST", "/v2.1/os-keypairs"),
        ("compute", "PUT", "/v2.1/servers/0-1"),
        ("compute", "DELETE", "/v2.1/servers/0-1/metadata/key"),
        ("compute", "DELETE", "/v2.1/os-server-groups/0-1"),
        ("image", "GET", "/v2/images/0-1/members"),
        ("image", "POST", "/v2/images/0-1/actions/deactivate"),
        ("network", "DELETE", "/v2.0/networks/0-1"),
        ("network", "POST", "/v2.0/ports"),
        ("network", "PUT", "/v2.0/floatingips/0-1"),
        ("volumev3", "GET", "/v3/0123456789abcdef/volumes"),
        ("identity", "POST", "/v3/users/0-1/application_credentials"),
    ],
)
def test_rules_let_nothing_else_through(service: str, method: str, path: str) -> None:
    """What an account could do, and Remuda never asks for."""
    rules = [AccessRule(**one) for one in json.loads(RULES.read_text())]

    assert not allowed(rules, service, method, path)
