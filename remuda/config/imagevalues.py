"""What single values of recipes may be."""

import re
from typing import Final

from remuda.config.units import WrongValueError

_PACKAGE: Final = re.compile(r"@?[A-Za-z0-9][A-Za-z0-9+._:~=*/@^-]{0,199}", re.ASCII)
_IGNORED: Final = re.compile(r"[/*][ -~]{0,499}", re.ASCII)
_MODE: Final = re.compile(r"0?[0-7]{3}")
_OWNER: Final = re.compile(r"[A-Za-z_0-9][A-Za-z0-9_.-]{0,63}(:[A-Za-z_0-9][A-Za-z0-9_.-]{0,63})?")


def package_name(value: str) -> str:
    """Return *value* if it is a name that package tools take.

    Raises:
        WrongValueError: If it is not.
    """
    if _PACKAGE.fullmatch(value) is None:
        raise WrongValueError(
            "is not the name of a package",
            hint="write for example git, libc6:i386 or '@development-tools'",
        )
    return value


def absolute_path(value: str) -> str:
    """Return *value* if it is an absolute path, without ``..``.

    Raises:
        WrongValueError: If it is not.
    """
    plain = value.isprintable() and ".." not in value.split("/")
    if not value.startswith("/") or not plain:
        raise WrongValueError(
            "is not an absolute path", hint="write for example /opt/mirrors, without .."
        )
    return value


def ignored_pattern(value: str) -> str:
    """Return *value* if it is a pattern of whole names of files.

    Raises:
        WrongValueError: If it is not.
    """
    if _IGNORED.fullmatch(value) is None:
        raise WrongValueError(
            "is not a pattern of whole names of files",
            hint="write for example /var/lib/docker, or '/home/*/.cache/pip'",
        )
    return value


def file_mode(value: str) -> str:
    """Return *value* if it is the mode of a file in octal digits.

    Raises:
        WrongValueError: If it is not.
    """
    if _MODE.fullmatch(value) is None:
        raise WrongValueError("is not a file mode", hint='write for example "0644" or "0755"')
    return value


def file_owner(value: str) -> str:
    """Return *value* if it is an owner, and perhaps a group.

    Raises:
        WrongValueError: If it is not.
    """
    if _OWNER.fullmatch(value) is None:
        raise WrongValueError("is not an owner", hint="write USER or USER:GROUP")
    return value
