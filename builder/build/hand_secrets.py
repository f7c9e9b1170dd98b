"""The secrets of steps, read from the builder's host when a build begins.

Errors name the place, never the value.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from builder.quiet.needles import UnsearchableError, make_needles
from remuda.config.images import SecretFrom
from remuda.config.recipes import ImageRecipe
from remuda.known_secrets import KNOWN
from remuda.model.build import Blame
from remuda.secret import Secret
from remuda.visible import visible

#: The step of a build that reads them, and the key that launchers put into machines. An error
#: follows it after a colon: were ``secrets`` its last word, the error would be masked in logs.
SECRETS_STEP: Final = "secrets and keys"
#: Linux takes 128 KiB for one variable of an environment.
SECRET_BYTES_MAX: Final = 32 * 1024


class SecretError(Exception):
    """A secret cannot be had, or not be kept out of an image.

    Attributes:
        blame: Another builder may find what is not here; nobody can look for what is too short.
    """

    def __init__(self, name: str, why: str, blame: Blame = Blame.BUILDER) -> None:
        # No word that means a secret stands before a colon: what follows would be masked in logs.
        super().__init__(f"the value of {visible(name)} cannot be used ({why})")
        self.blame = blame


def read_secrets(recipe: ImageRecipe, environ: Mapping[str, str]) -> Mapping[str, Secret]:
    """Return the secrets that *recipe* needs, by name; they are masked from now on.

    Args:
        recipe: Says where each is found.
        environ: The builder's environment.

    Raises:
        SecretError: One of them is not there, or is of no use.
    """
    whose = f"image {recipe.name}"
    return {
        name: read_secret(whose, name, recipe.secrets.get(name), environ)
        for name in recipe.needed_secrets
    }


def read_secret(
    whose: str, name: str, source: SecretFrom | None, environ: Mapping[str, str]
) -> Secret:
    """Return one secret of *whose*, that can be looked for; it is masked from now on.

    Raises:
        SecretError: It is not there, or of no use.
    """
    if source is None:
        raise SecretError(name, "the recipe does not say where it is found", Blame.RECIPE)
    value, place = _value(name, source, environ)
    KNOWN.hold(f"secret {name} of {whose}", [value])
    if not value or "\0" in value:
        raise SecretError(name, f"{place} is empty, or no text")
    try:
        make_needles([value])
    except UnsearchableError as exc:
        raise SecretError(name, f"{place}: {_said(exc)}", Blame.RECIPE) from None
    return Secret(value)


def _said(exc: UnsearchableError) -> str:
    return str(exc).removeprefix("secret 1 ")


def _value(name: str, source: SecretFrom, environ: Mapping[str, str]) -> tuple[str, str]:
    """Return a value, and what it was found in."""
    if source.environment is not None:
        place = f"the builder's environment variable {source.environment}"
        if source.environment not in environ:
            raise SecretError(name, f"{place} is not set")
        value = environ[source.environment]
        try:
            size = len(value.encode())  # what is no UTF-8 comes as lone surrogates
        except UnicodeEncodeError:
            raise SecretError(name, f"{place} is no text in UTF-8") from None
        if size > SECRET_BYTES_MAX:
            raise SecretError(name, f"{place} has more than {SECRET_BYTES_MAX} bytes")
        return value, place
    place = f"file {source.file}"
    try:
        with Path(source.file or "").open("rb") as stream:
            raw = stream.read(SECRET_BYTES_MAX + 1)
        text = raw.decode(errors="ignore" if len(raw) > SECRET_BYTES_MAX else "strict")
    except OSError as exc:
        raise SecretError(name, f"{place}: {exc.strerror or 'cannot be read'}") from None
    except UnicodeDecodeError:
        raise SecretError(name, f"{place} is no text in UTF-8") from None
    if len(raw) > SECRET_BYTES_MAX:
        raise SecretError(name, f"{place} has more than {SECRET_BYTES_MAX} bytes")
    return text.removesuffix("\n").removesuffix("\r"), place
