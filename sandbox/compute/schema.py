"""What Nova's API refuses of ``POST /servers`` before it looks at anything else.

Sources: nova/api/openstack/compute/schemas/servers.py, nova/api/validation/parameter_types.py and
validators.py, which words it. Keys of later microversions are taken whichever was asked for.
"""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any, Final

from sandbox.web.errors import ApiError

_TEXT_MAX: Final = 255
_USER_DATA_MAX: Final = 65535
_METADATA_KEY: Final = re.compile(r"[a-zA-Z0-9_:. -]{1,255}")
_DEVICE_ID: Final = re.compile(r"[a-zA-Z0-9._-]{1,255}")
_BOOLEANS: Final = frozenset(
    {"True", "TRUE", "true", "1", "ON", "On", "on", "YES", "Yes", "yes"}
    | {"False", "FALSE", "false", "0", "OFF", "Off", "off", "NO", "No", "no"}
)
_KNOWN: Final = frozenset(
    {
        *("name", "imageRef", "flavorRef", "adminPass", "metadata", "networks", "personality"),
        *("OS-DCF:diskConfig", "accessIPv4", "accessIPv6", "availability_zone", "config_drive"),
        *("block_device_mapping", "block_device_mapping_v2", "key_name", "min_count", "max_count"),
        *("return_reservation_id", "security_groups", "user_data", "description", "tags"),
        *("trusted_image_certificates", "host", "hypervisor_hostname", "hostname"),
        # The SDK sends these along, and Nova takes them out before it looks.
        *("os:scheduler_hints", "OS-SCH-HNT:scheduler_hints"),
    }
)


def check_create(doc: Mapping[str, Any]) -> None:
    """Refuse what the schema of a create call does not allow.

    Raises:
        ApiError: 400, in Nova's words.
    """
    if unknown := [key for key in doc if key not in _KNOWN]:
        raise _invalid("server", dict.fromkeys(doc), _unexpected(unknown[0]))
    for key in ("name", "flavorRef"):
        if key not in doc:
            raise _invalid("server", dict.fromkeys(doc), f"'{key}' is a required property")
    for key, check in _CHECKS.items():
        if key in doc:
            check(key, doc[key])


def check_metadata(key: str, value: object) -> None:
    """Refuse pairs that metadata cannot have.

    Raises:
        ApiError: 400.
    """
    if not isinstance(value, dict):
        raise _invalid(key, value, f"{value!r} is not of type 'object'")
    for name, each in value.items():
        if _METADATA_KEY.fullmatch(name) is None:
            raise _invalid(key, value, _unexpected(name))
        _text(name, each, least=0)


def _invalid(key: str, value: object, why: str) -> ApiError:
    return ApiError(400, f"Invalid input for field/attribute {key}. Value: {value}. {why}")


def _unexpected(key: str) -> str:
    return f"Additional properties are not allowed ({key!r} was unexpected)"


def _text(key: str, value: object, *, least: int = 1, most: int = _TEXT_MAX) -> str:
    if not isinstance(value, str):
        raise _invalid(key, value, f"{value!r} is not of type 'string'")
    if len(value) < least:
        raise _invalid(key, value, f"{value!r} is too short")
    if len(value) > most:
        raise _invalid(key, value, f"{value!r} is too long")
    return value


def _name(key: str, value: object) -> None:
    text = _text(key, value)
    if text != text.strip() or not all(_is_printable(each) for each in text):
        raise _invalid(
            key,
            value,
            "An invalid 'name' value was provided. The name must be: printable characters. Can"
            " not start or end with whitespace.",
        )


def _is_printable(char: str) -> bool:
    category = unicodedata.category(char)
    return not category.startswith("C") and (not category.startswith("Z") or category == "Zs")


def _user_data(key: str, value: object) -> None:
    text = _text(key, value, least=0, most=_USER_DATA_MAX)
    try:
        base64.b64decode("".join(text.split()), validate=True)
    except binascii.Error:
        raise _invalid(key, value, f"{value!r} is not a 'base64'") from None


def _boolean(key: str, value: object) -> None:
    if not (isinstance(value, bool) or (isinstance(value, str) and value in _BOOLEANS)):
        raise _invalid(key, value, f"{value!r} is not one of [True, 'True', 'TRUE', 'true', …]")


def _reference(key: str, value: object) -> None:
    if not isinstance(value, int):
        _text(key, value)


def _items(key: str, value: object, allowed: Mapping[str, Callable[[str, object], None]]) -> None:
    if not isinstance(value, list):
        raise _invalid(key, value, f"{value!r} is not of type 'array'")
    for item in value:
        if not isinstance(item, dict):
            raise _invalid(key, item, f"{item!r} is not of type 'object'")
        for name, each in item.items():
            if name not in allowed:
                raise _invalid(key, item, _unexpected(name))
            allowed[name](name, each)


def _groups(key: str, value: object) -> None:
    _items(key, value, {"name": _name})


def _networks(key: str, value: object) -> None:
    if value in ("auto", "none"):  # from microversion 2.37 on
        return
    _items(key, value, {"fixed_ip": _any, "port": _any, "uuid": _any, "tag": _any})


def _volume_size(key: str, value: object) -> None:
    text = str(value)
    if isinstance(value, bool) or not text.isdecimal() or int(text) < 1:
        raise _invalid(key, value, f"{value!r} is less than the minimum of 1")


def _device_id(key: str, value: object) -> None:
    if _DEVICE_ID.fullmatch(_text(key, value)) is None:
        raise _invalid(key, value, f"{value!r} does not match '^[a-zA-Z0-9._-]*$'")


def _devices(key: str, value: object) -> None:
    _items(
        key,
        value,
        {
            **dict.fromkeys(("boot_index", "no_device", "connection_info", "tag"), _any),
            **dict.fromkeys(("virtual_name", "device_name", "guest_format"), _any),
            **dict.fromkeys(("device_type", "disk_bus", "volume_type", "source_type"), _any),
            **dict.fromkeys(("destination_type", "volume_id", "snapshot_id", "image_id"), _any),
            "uuid": _device_id,
            "volume_size": _volume_size,
            "delete_on_termination": _boolean,
        },
    )


def _any(_key: str, _value: object) -> None:
    """Leave it to whoever uses it."""


_CHECKS: Final[Mapping[str, Callable[[str, object], None]]] = {
    "name": _name,
    "flavorRef": _reference,
    "metadata": check_metadata,
    "networks": _networks,
    "availability_zone": _name,
    "config_drive": _boolean,
    "block_device_mapping_v2": _devices,
    "key_name": _name,
    "security_groups": _groups,
    "user_data": _user_data,
}
