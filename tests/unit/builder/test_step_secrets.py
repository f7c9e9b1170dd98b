"""Secrets of steps: where they are found, and that nothing tells what they are."""

from pathlib import Path

import pytest

from builder.build.hand_secrets import SECRET_BYTES_MAX, SECRETS_STEP, SecretError, read_secrets
from remuda.config.images import SecretFrom
from remuda.model.build import Blame
from remuda.redaction import redact_text
from tests.unit.builder.handbench import recipe

VALUE = "swordfish-and-more"
STEP = {"command": "make", "secrets": ["TOKEN"]}


def test_secrets_are_read_from_the_environment_and_from_files(tmp_path: Path) -> None:
    """Those that steps name; a last newline of a file is none of it; they are masked at once."""
    file = tmp_path / "key"
    file.write_text("-----BEGIN X-----\nfirst-line-of-the-key\n-----END X-----\n")
    secrets = {
        "TOKEN": SecretFrom(environment="SITE_TOKEN"),
        "KEY": SecretFrom(file=str(file)),
        "UNUSED": SecretFrom(environment="NOT_SET"),
    }
    one = recipe(STEP, {"command": "x", "secrets": ["KEY", "TOKEN"]}, secrets=secrets)

    found = read_secrets(one, {"SITE_TOKEN": VALUE})

    assert found == {"TOKEN": VALUE, "KEY": file.read_text().rstrip("\n")}
    assert VALUE not in f"{found} {found['TOKEN']!r} {found['TOKEN']}"
    assert VALUE not in redact_text(f"curl says {VALUE}")
    assert "first-line-of-the-key" not in redact_text("cat: first-line-of-the-key")


@pytest.mark.parametrize(
    ("content", "blame", "why"),
    [
        (None, Blame.BUILDER, "No such file"),
        (b"", Blame.BUILDER, "empty"),
        (b"\xff\xfe\xfd" * 9, Blame.BUILDER, "UTF-8"),
        (b"a\0b and more of it", Blame.BUILDER, "no text"),
        (b"\xc3\xa4" * SECRET_BYTES_MAX, Blame.BUILDER, "bytes"),
        (b"sesame", Blame.RECIPE, "too short"),
    ],
)
def test_a_file_that_is_of_no_use_is_named_and_not_shown(
    tmp_path: Path, content: bytes | None, blame: Blame, why: str
) -> None:
    """Its place, never what is in it."""
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(SecretError) as caught:
        read_secrets(recipe(STEP, secrets={"TOKEN": SecretFrom(file=str(file))}), {})

    message = str(caught.value)
    assert caught.value.blame is blame
    assert str(file) in message
    assert why in message
    assert not content or content.decode(errors="replace") not in message
    assert caught.value.__cause__ is None


def test_a_variable_that_is_of_no_use_is_named_and_not_shown() -> None:
    """Not set, or too large."""
    one = recipe(STEP, secrets={"TOKEN": SecretFrom(environment="SITE_TOKEN")})

    with pytest.raises(SecretError, match="SITE_TOKEN is not set") as missing:
        read_secrets(one, {})
    said = f"{SECRETS_STEP}: {missing.value}"
    assert redact_text(said) == said  # not a word of it is taken for a value
    with pytest.raises(SecretError, match="more than") as caught:
        read_secrets(one, {"SITE_TOKEN": VALUE * SECRET_BYTES_MAX})
    assert VALUE not in str(caught.value)


def test_a_secret_that_the_recipe_does_not_know_is_the_recipes_fault() -> None:
    """The check of the file says it before."""
    with pytest.raises(SecretError) as caught:
        read_secrets(recipe(STEP), {})
    assert caught.value.blame is Blame.RECIPE


def test_a_variable_that_is_no_text_is_named_and_not_shown() -> None:
    """Linux lets any bytes be in one."""
    one = recipe(STEP, secrets={"TOKEN": SecretFrom(environment="SITE_TOKEN")})

    with pytest.raises(SecretError, match="SITE_TOKEN is no text in UTF-8") as caught:
        read_secrets(one, {"SITE_TOKEN": f"{VALUE}\udcff"})

    assert VALUE not in str(caught.value)
