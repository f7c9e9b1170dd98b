"""Ours and the operator's user data become one that cloud-init takes."""

from email import message_from_string
from email.message import Message
from typing import Any

import pytest
import yaml

from remuda.ssh.hostkeys import HostKey
from remuda.ssh.userdata import BASE64_CHARS_MAX, UserDataError, check_size, merge_user_data

KEY = HostKey(public="ssh-ed25519 AAAApublic", private="-----BEGIN-----\nprivate\n-----END-----\n")
OUR_KEY = "ssh-ed25519 AAAAours"


def _merge(theirs: str | None, username: str = "debian") -> str:
    return merge_user_data(theirs, host_key=KEY, authorized_keys=[OUR_KEY], username=username)


def _config(text: str) -> dict[str, Any]:
    assert text.startswith("#cloud-config\n")
    config = yaml.safe_load(text)
    assert isinstance(config, dict)
    return config


def _parts(text: str) -> list[tuple[str, str]]:
    """Return (type, text) of each part of a MIME message."""
    payload = message_from_string(text).get_payload()
    assert isinstance(payload, list)
    parts: list[tuple[str, str]] = []
    for part in payload:
        assert isinstance(part, Message)
        raw = part.get_payload(decode=True)
        assert isinstance(raw, bytes)
        parts.append((part.get_content_type(), raw.decode()))
    return parts


OURS = {
    "ssh_deletekeys": True,
    "ssh_keys": {"ed25519_private": KEY.private, "ed25519_public": KEY.public},
    "ssh_authorized_keys": [OUR_KEY],
}


@pytest.mark.parametrize("theirs", [None, "", "\n", "#cloud-config\n", "#cloud-config"])
def test_ours_alone_is_cloud_config(theirs: str | None) -> None:
    """The keys survive line by line."""
    assert _config(_merge(theirs)) == OURS


@pytest.mark.parametrize("theirs", ["#!/bin/sh\necho hi\n", "#cloud-config\na: 1 # why\n", "x"])
def test_without_wishes_of_ours_theirs_is_left_as_it_is(theirs: str) -> None:
    """To the last comment."""
    assert merge_user_data(theirs) == theirs


def test_cloud_config_is_merged() -> None:
    """Their settings stay; their keys may log in beside ours."""
    theirs = "#cloud-config\npackages: [git]\nssh_authorized_keys:\n- ssh-rsa AAAAtheirs\n"

    config = _config(_merge(theirs))

    assert config["packages"] == ["git"]
    assert config["ssh_authorized_keys"] == ["ssh-rsa AAAAtheirs", OUR_KEY]
    assert config["ssh_keys"] == OURS["ssh_keys"]


def test_our_key_is_not_given_twice() -> None:
    """Merging twice is merging once."""
    once = _merge(None)

    assert _merge(once) == once


def test_host_keys_of_theirs_give_way() -> None:
    """Else the machine would not be the one we expect."""
    theirs = "#cloud-config\nssh_deletekeys: false\nssh_keys: {rsa_private: x, rsa_public: y}\n"

    config = _config(_merge(theirs))

    assert config["ssh_keys"] == OURS["ssh_keys"]
    assert config["ssh_deletekeys"] is True


def test_root_is_let_in_if_root_is_to_log_in() -> None:
    """By default cloud-init turns root away with a message."""
    assert _config(_merge(None, username="root"))["disable_root"] is False
    assert "disable_root" not in _config(_merge(None))


@pytest.mark.parametrize(
    ("theirs", "kind"),
    [
        ("#!/bin/bash\necho 'hi'\n", "text/x-shellscript"),
        ("#!/usr/bin/python3\nprint('Ümläut')\n", "text/x-shellscript"),
        ("#cloud-boothook\n#!/bin/sh\n", "text/cloud-boothook"),
        ("#include\nhttp://192.0.2.1/x\n", "text/x-include-url"),
        ("#include-once\nhttp://192.0.2.1/x\n", "text/x-include-once-url"),
        ("## template: jinja\n#cloud-config\nruncmd: [{{ ds }}]\n", "text/jinja2"),
        ("#cloud-config-archive\n- type: text/cloud-config\n", "text/cloud-config-archive"),
    ],
)
def test_other_forms_get_a_part_beside_ours(theirs: str, kind: str) -> None:
    """Unchanged, under the name cloud-init knows it by."""
    parts = _parts(_merge(theirs))

    assert parts[0] == (kind, theirs)
    assert parts[1][0] == "text/cloud-config"
    assert _config(parts[1][1]) == OURS


def _message(*parts: tuple[str, str]) -> str:
    head = 'Content-Type: multipart/mixed; boundary="=="\nMIME-Version: 1.0\n\n'
    body = "".join(f"--==\nContent-Type: {kind}\n\n{text}\n" for kind, text in parts)
    return f"{head}{body}--==--\n"


SCRIPT = ("text/x-shellscript", "#!/bin/sh\necho hi")


def test_a_message_gets_ours_into_its_last_configuration() -> None:
    """Of several the last to name a setting wins, so there it must be, with everybody's keys."""
    theirs = _message(
        ("text/cloud-config", "#cloud-config\nssh_authorized_keys: [ssh-rsa AAAA1]\na: 1"),
        ("text/plain", "#cloud-config\nb: 2"),
        SCRIPT,
    )

    parts = _parts(_merge(theirs))

    kinds = ["text/cloud-config", "text/cloud-config", "text/x-shellscript"]
    assert [kind for kind, _ in parts] == kinds
    assert _config(parts[0][1])["a"] == 1
    last = _config(parts[1][1])
    assert last == {"b": 2, **OURS, "ssh_authorized_keys": ["ssh-rsa AAAA1", OUR_KEY]}


def test_a_message_without_a_configuration_gets_one() -> None:
    """After all its parts."""
    parts = _parts(_merge(_message(SCRIPT)))

    assert [kind for kind, _ in parts] == ["text/x-shellscript", "text/cloud-config"]
    assert _config(parts[1][1]) == OURS


@pytest.mark.parametrize(
    ("theirs", "why"),
    [
        ("echo hi\n", "the first line of the user data is of no form"),
        ("#cloud-config\na: [\n", "not valid YAML"),
        ("#cloud-config\n- a\n", "must be a mapping, not a list"),
        ("#cloud-config\nssh_authorized_keys: none\n", "must be a list"),
        ("Content-Type: multipart/mixed\n\nnothing", "damaged"),
        ("#!/bin/sh\n" + "#" * 60_000, "clouds take 65535"),
    ],
)
def test_what_cannot_work_is_said_now(theirs: str, why: str) -> None:
    """Rather than by a machine that never lets us in."""
    with pytest.raises(UserDataError, match=why):
        _merge(theirs)


def test_the_limit_is_counted_as_the_cloud_counts() -> None:
    """In base64."""
    most = BASE64_CHARS_MAX // 4 * 3

    check_size("x" * most)
    with pytest.raises(UserDataError, match=f"{most + 1} bytes is 65536 characters"):
        check_size("x" * (most + 1))


def test_the_private_key_is_in_no_error() -> None:
    """Errors go to logs."""
    with pytest.raises(UserDataError) as caught:
        _merge("#!/bin/sh\n" + "#" * 60_000)

    assert "private" not in str(caught.value)
