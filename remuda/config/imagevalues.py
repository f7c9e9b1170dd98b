"""What single values of recipes may be."""

import re
from typing import Final

from remuda.config.units import WrongValueError
from remuda.ssh.api import check_environment

#: One step; longer ones are better cut into several, of which the log shows the times.
STEP_S_MAX: Final = 24 * 3600
#: Of one command, in bytes about; longer ones are scripts.
COMMAND_CHARS_MAX: Final = 16 * 1024
#: What we tell steps and commands ourselves.
OUR_PREFIX: Final = "REMUDA_"
_PACKAGE: Final = re.compile(r"@?[A-Za-z0-9][A-Za-z0-9+._:~=*/@^-]{0,199}", re.ASCII)
_IGNORED: Final = re.compile(r"[/*][ -~]{0,499}", re.ASCII)
_MODE: Final = re.compile(r"0?[0-7]{3}")
_OWNER: Final = re.compile(r"[A-Za-z_0-9][A-Za-z0-9_.-]{0,63}(:[A-Za-z_0-9][A-Za-z0-9_.-]{0,63})?")
#: What Nova heeds of an image when it boots a server; the rest is of no use, or is ours.
_PROPERTY: Final = re.compile(
    r"(?:hw|os)_[a-z0-9_]{1,60}|architecture|vm_mode|hypervisor_type|img_config_drive", re.ASCII
)
#: What Glance alone may write.
_OF_GLANCE: Final = ("os_hidden", "os_hash_", "os_glance")
#: Limit of Glance, in bytes.
_PROPERTY_BYTES_MAX: Final = 255


def is_variable(name: str) -> bool:
    """Whether *name* is one that an environment variable can have."""
    try:
        check_environment(((name, ""),))
    except ValueError:
        return False
    return True


def variables(values: dict[str, str]) -> dict[str, str]:
    """Return *values* if they can be an environment.

    Raises:
        WrongValueError: If they cannot, or one is ours.
    """
    for name, value in values.items():
        check_variable(name)
        if "\0" in value:
            raise WrongValueError(f"has a NUL in {name}", hint="no variable can hold one")
    return values


def check_variable(name: str) -> None:
    """Do nothing with a name that a variable of a recipe can have.

    Raises:
        WrongValueError: It cannot.
    """
    if not is_variable(name):
        raise WrongValueError(
            f"has {name[:40]!r}, which no environment variable can be called",
            hint="use letters, digits and '_', no digit first",
        )
    if name.startswith(OUR_PREFIX):
        raise WrongValueError(
            f"has {name[:40]!r}, but names that begin with {OUR_PREFIX} are ours",
            hint="choose another name",
        )


def image_properties(values: dict[str, str]) -> dict[str, str]:
    """Return *values* if an image may have them as properties.

    Raises:
        WrongValueError: If it may not.
    """
    for name, value in values.items():
        if _PROPERTY.fullmatch(name) is None or name.startswith(_OF_GLANCE):
            raise WrongValueError(
                f"has {name[:40]!r}, which is none of those that Nova heeds",
                hint="write for example hw_firmware_type, os_type or architecture",
            )
        if len(value.encode()) > _PROPERTY_BYTES_MAX or not value.isprintable():
            raise WrongValueError(
                f"has a value for {name} that no image can have",
                hint=f"write one line of at most {_PROPERTY_BYTES_MAX} bytes",
            )
    return values


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
