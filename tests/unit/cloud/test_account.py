"""clouds.yaml, and what must never be logged."""

import logging
import traceback
from pathlib import Path

import pytest
import yaml

from remuda.cloud.account import AccountSettings, load_region
from remuda.cloud.api import CloudConfigError, ServerSpec
from remuda.cloud.openstack import OpenStackCloud
from remuda.redaction import BLANK, redact_text
from tests.fakes.cloud import DEBIAN, SMALL
from tests.unit.cloud.scripted_api import Reply, ScriptedApi

GOOD = """
clouds:
  good:
    auth: {auth_url: "http://127.0.0.1:1/v3", username: u, password: p, project_name: x}
    regions: [R1, R2]
"""


@pytest.mark.parametrize(
    ("text", "cloud", "region", "sentence"),
    [
        (None, "good", None, "cannot be read"),
        ("clouds: [", "good", None, "is not YAML"),
        ("- a", "good", None, "has no mapping 'clouds'"),
        ("clouds: [good]", "good", None, "has no mapping 'clouds'"),
        ("", "good", None, "has no mapping 'clouds'"),
        (GOOD, "other", None, "has no cloud 'other'; known here: good"),
        (GOOD, "goood", None, "has no cloud 'goood'; did you mean 'good'\\? known here: good"),
        (GOOD, "good", "R9", "R9"),
        ("clouds: {good: [1]}", "good", None, "'good'"),
        ("clouds: {good: {auth_type: nonsense}}", "good", None, "'good'"),
    ],
)
def test_wrong_clouds_yaml_is_said_in_a_sentence(
    tmp_path: Path, text: str | None, cloud: str, region: str | None, sentence: str
) -> None:
    """With the file, and what is wrong with it."""
    path = tmp_path / "clouds.yaml"
    if text is not None:
        path.write_text(text)

    with pytest.raises(CloudConfigError, match=f"(?s)clouds.yaml.*{sentence}"):
        load_region(AccountSettings(cloud=cloud, region=region, clouds_file=str(path)))


def test_given_file_wins_over_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDK would prefer OS_CLIENT_CONFIG_FILE to the file it is told."""
    (tmp_path / "other.yaml").write_text(GOOD.replace("good", "elsewhere"))
    (tmp_path / "clouds.yaml").write_text(GOOD)
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "other.yaml"))
    monkeypatch.setenv("OS_USERNAME", "intruder")

    settings = AccountSettings(cloud="good", clouds_file=str(tmp_path / "clouds.yaml"))

    assert load_region(settings).config["auth"]["username"] == "u"


def test_without_a_file_the_client_looks_where_it_always_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as OS_CLIENT_CONFIG_FILE."""
    (tmp_path / "mine.yaml").write_text(GOOD)
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "mine.yaml"))

    assert load_region(AccountSettings(cloud="good", region="R2")).region_name == "R2"


def test_an_unknown_cloud_is_said_with_the_file_that_was_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has named it: it is the one that the client has found."""
    (tmp_path / "mine.yaml").write_text(GOOD)
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(tmp_path / "mine.yaml"))
    with pytest.raises(CloudConfigError) as caught:
        load_region(AccountSettings(cloud="nope"))
    assert str(caught.value) == f"{tmp_path}/mine.yaml has no cloud 'nope'; known here: good"


def test_where_there_is_no_clouds_yaml_it_is_said_where_one_belongs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """None that could be read."""
    monkeypatch.delenv("OS_CLIENT_CONFIG_FILE", raising=False)
    monkeypatch.setattr("openstack.config.loader.CONFIG_FILES", [])
    with pytest.raises(CloudConfigError) as caught:
        load_region(AccountSettings(cloud="nope"))
    assert "there is no cloud 'nope', and no clouds.yaml that can be read" in str(caught.value)
    assert "OS_CLIENT_CONFIG_FILE names one" in str(caught.value)


def test_passwords_may_lie_in_a_file_beside(tmp_path: Path) -> None:
    """secure.yaml is merged, as everywhere."""
    (tmp_path / "clouds.yaml").write_text(GOOD)
    (tmp_path / "secure.yaml").write_text("clouds: {good: {auth: {password: hidden}}}")

    region = load_region(AccountSettings(cloud="good", clouds_file=str(tmp_path / "clouds.yaml")))

    assert region.config["auth"]["password"] == "hidden"


@pytest.mark.parametrize(
    "text",
    [
        "clouds: {good: {auth: {password: *Pl4nted}}}",
        "clouds: {good: {auth: {password: 'Pl4nted}}}",
        "clouds: {good: {auth: {password: !Pl4nted x}}}",
        "clouds:\n  good:\n    auth:\n      password: x\n     Pl4nted: [",
        "clouds: {good: {auth: {password: x}, api_timeout: Pl4nted}}",
        "clouds: {good: {auth: [Pl4nted]}}",
        "clouds: {good: {auth: {auth_url: 'http://127.0.0.1:1', password: {Pl4nted: 1}}}}",
    ],
)
def test_errors_of_clouds_yaml_quote_nothing_of_it(tmp_path: Path, text: str) -> None:
    """The parser would show the line, and the library the value."""
    path = tmp_path / "clouds.yaml"
    path.write_text(text)
    said = ""
    try:
        load_region(AccountSettings(cloud="good", clouds_file=str(path)))
    except CloudConfigError as error:
        said = "".join(traceback.format_exception(error))

    assert "Pl4nted" not in said


@pytest.mark.parametrize("file", ["clouds.yaml", "secure.yaml"])
def test_what_clouds_yaml_holds_is_known_as_secret(tmp_path: Path, file: str) -> None:
    """Whoever prints it."""
    (tmp_path / "clouds.yaml").write_text(GOOD.replace("password: p", "password: q"))
    text = (tmp_path / "clouds.yaml").read_text() if file == "clouds.yaml" else "clouds: {good: {}}"
    doc = yaml.safe_load(text)
    doc["clouds"]["good"]["auth"] = {
        **doc["clouds"]["good"].get("auth", {}),
        "password": "hidden-in-the-file",
    }
    (tmp_path / file).write_text(yaml.safe_dump(doc))

    load_region(AccountSettings(cloud="good", clouds_file=str(tmp_path / "clouds.yaml")))

    assert redact_text("x hidden-in-the-file y") == f"x {BLANK} y"


def test_no_secret_is_ever_logged(
    api: ScriptedApi, cloud: OpenStackCloud, caplog: pytest.LogCaptureFixture
) -> None:
    """Not even by the libraries, not even at the most talkative level."""
    caplog.set_level(logging.DEBUG)
    api.on("POST", "/compute/v2.1/servers", Reply(status=202, body={"server": {"id": "s1"}}))

    cloud.create_server(
        ServerSpec(name="a", image=DEBIAN, flavor=SMALL, tags={}, user_data="private host key")
    )

    text = caplog.text
    assert "secret" not in text
    assert "token-1" not in text
    assert "cHJpdmF0ZSBob3N0IGtleQ" not in text
