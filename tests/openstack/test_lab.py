"""The lab's own parts that can be tried without it: rules, user data, configuration, the table."""

import base64
import io
import json
import string
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from remuda.ssh.hostkeys import make_host_key
from remuda.ssh.userdata import merge_user_data
from tests.contract.cloud import table
from tests.openstack.lab import settings
from tests.openstack.lab.inside.labinit import read_wishes
from tests.openstack.lab.inside.rules import Rules, is_internal
from tests.openstack.lab.inside.spoil import GarbledBody, cut, garbled, shifted
from tests.openstack.lab.layout import HERE, Layout


def request(method: str = "GET", path: str = "/v2.1/servers/detail", **more: str) -> dict[str, Any]:
    """Return a request as a WSGI server gives it."""
    return {"REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": "", **more}


def ruled(state: Path, *rules: dict[str, Any]) -> Rules:
    """Return the rules of a file."""
    (state / "faults.json").write_text(json.dumps(rules))
    return Rules(state)


def test_a_rule_strikes_as_often_as_it_says(tmp_path: Path) -> None:
    """Then others have their turn; hits are noted."""
    rules = ruled(
        tmp_path,
        {"id": "a", "service": "nova", "path": "/servers/detail", "status": 500, "times": 1},
        {"id": "b", "method": "GET|POST", "delay": 1},
    )

    found = [rules.for_request("nova", request()) for _ in range(2)]
    other = rules.for_request("nova", request("DELETE"))

    assert [rule and rule["id"] for rule in found] == ["a", "b"]
    assert other is None
    assert [line[0] for line in (tmp_path / "faults.log").read_text().splitlines()] == ["a", "b"]


def test_rules_change_with_their_file(tmp_path: Path) -> None:
    """No file, no faults; a broken one is none either."""
    rules = ruled(tmp_path, {"id": "a", "status": 500})
    first = rules.for_request("nova", request())
    (tmp_path / "faults.json").unlink()
    second = rules.for_request("nova", request())
    (tmp_path / "faults.json").write_text("{")
    third = rules.for_request("nova", request())

    assert first is not None
    assert (second, third) == (None, None)


@pytest.mark.parametrize(
    ("agent", "internal"),
    [
        ("remuda openstacksdk/4.22.0 keystoneauth1/5.18.1", False),
        ("openstacksdk/4.22.0 keystoneauth1/5.18.1", False),
        ("python-novaclient", True),
        ("nova/34.0.0 keystonemiddleware.auth_token/13.0.1", True),
    ],
)
def test_services_calls_are_told_from_users(tmp_path: Path, agent: str, *, internal: bool) -> None:
    """Faults hit users' calls only, unless a rule says otherwise."""
    environ = request(HTTP_USER_AGENT=agent)
    rules = ruled(tmp_path, {"id": "a", "status": 500})

    assert internal is is_internal(environ)
    assert internal is (rules.for_request("nova", environ) is None)


def test_a_boot_gets_the_knobs_of_the_rule_for_its_metadata(tmp_path: Path) -> None:
    """API requests do not use it up."""
    rules = ruled(
        tmp_path,
        {"id": "a", "boot": {"spawn": "fail"}, "metadata": {"label": "odd"}, "times": 1},
    )

    assert rules.for_request("nova", request()) is None
    assert rules.for_boot("one", {"label": "even"}) == {}
    assert rules.for_boot("two", {"label": "odd", "more": "x"}) == {"spawn": "fail"}
    assert rules.for_boot("three", {"label": "odd"}) == {}


def test_our_own_user_data_is_obeyed() -> None:
    """The host key that a launcher makes, and the key that it logs in with."""
    key = make_host_key()
    script = "#!/bin/sh\necho theirs\n"
    text = merge_user_data(script, host_key=key, authorized_keys=["ssh-ed25519 AAAA us"])

    wishes = read_wishes(base64.b64encode(text.encode()).decode())

    assert {"ed25519": (key.private, key.public)} == wishes.host_keys
    assert wishes.authorized_keys == ["ssh-ed25519 AAAA us"]
    assert [script.strip().encode()] == [each.strip() for each in wishes.scripts]


def test_parts_of_user_data_run_in_order() -> None:
    """Commands of the cloud-config first, then scripts."""
    parts = MIMEMultipart()
    parts.attach(MIMEText("#cloud-config\nruncmd: [[touch, 'a b'], echo]\n", "cloud-config"))
    parts.attach(MIMEText("#!/bin/sh\ntrue\n", "x-shellscript"))

    wishes = read_wishes(base64.b64encode(parts.as_bytes()).decode())

    assert wishes.commands == ['touch "a b"', "echo"]
    assert wishes.script.startswith(b'#!/bin/sh\ntouch "a b"\necho\n')
    assert b"\ntrue\n" in wishes.script


def test_templates_of_the_configuration_are_complete(tmp_path: Path) -> None:
    """Each service has one, and every value it asks for is there."""
    layout = Layout(tmp_path)
    values = settings._values(layout)
    for source in sorted((HERE / "conf").iterdir()):
        text = string.Template(source.read_text()).substitute(values)
        assert "$" not in text, source.name


def test_versions_are_pinned() -> None:
    """Every line of the requirements is a name and one version."""
    lines = (HERE / "requirements.txt").read_text().splitlines()

    assert [each for each in lines if each.count("==") != 1] == []
    assert {"keystone", "glance", "nova", "neutron", "openstack-placement", "swift"} <= {
        each.partition("==")[0] for each in lines
    }


def test_a_home_that_is_too_deep_is_complained_of() -> None:
    """Sockets have short names."""
    assert "socket" in Layout(Path("/x" * 60)).complaint()
    assert not Layout(Path("/x")).complaint()


def test_the_table_tells_passed_from_skipped_and_failed() -> None:
    """A case is as bad as its worst phase."""
    outcomes: table.Outcomes = {}
    place = "tests/contract/cloud/test_servers.py::test_every_page_is_read"
    for cloud, when, outcome in (
        ("fake", "setup", "passed"),
        ("fake", "call", "skipped"),
        ("openstack", "call", "passed"),
        ("openstack", "teardown", "failed"),
        ("live", "call", "passed"),
    ):
        report = SimpleNamespace(nodeid=f"{place}[{cloud}]", when=when, outcome=outcome)
        table.note(outcomes, report)

    assert outcomes == {"servers: every page is read": {"fake": "skipped", "openstack": "failed"}}
    assert "| servers: every page is read | - |  | **NO** |" in table.render(outcomes)


def test_bodies_are_garbled_in_their_first_byte() -> None:
    """Requests and answers, whatever pieces they come in."""
    body = GarbledBody(io.BytesIO(b"abcabc"))

    assert body.read(0) + body.read(2) + body.read() == b"`bcabc"
    assert list(GarbledBody(io.BytesIO(b"a\nb\n"))) == [b"`\n", b"b\n"]
    assert list(garbled([b"", b"ab", b"a"])) == [b"", b"`b", b"a"]


def test_an_answer_is_cut_where_the_rule_says() -> None:
    """What comes before is whole."""
    got: list[bytes] = []

    with pytest.raises(ConnectionResetError):
        got.extend(cut([b"abc", b"def", b"ghi"], 4))

    assert b"".join(got) == b"abcd"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            {"token": dict.fromkeys(("issued_at", "expires_at"), "2026-01-01T00:00:00.000000Z")},
            {"token": dict.fromkeys(("issued_at", "expires_at"), "2026-01-02T00:00:00.000000Z")},
        ),
        ({"error": {"code": 401}}, {"error": {"code": 401}}),
    ],
    ids=["token", "refusal"],
)
def test_a_tokens_times_are_shifted(body: dict[str, Any], expected: dict[str, Any]) -> None:
    """And the length is right again; a refusal has none."""
    said: list[Any] = []

    def app(_environ: dict[str, Any], start: Any) -> list[bytes]:
        start("201 Created", [("Content-Length", "1"), ("X-Subject-Token", "t")])
        return [json.dumps(body).encode()]

    answer = b"".join(shifted(app, {}, lambda *args: said.append(args), 86_400.0))

    assert json.loads(answer) == expected
    assert dict(said[0][1]) == {"Content-Length": str(len(answer)), "X-Subject-Token": "t"}
