"""One user-data text out of the operator's and ours, in the forms cloud-init takes.

Facts from the cloud-init documentation ("User data formats", "SSH" module):

- the form is told by the first line: ``#!`` script, ``#cloud-config`` YAML, or a MIME message;
- with ``ssh_keys`` given, exactly these host keys are written and no others are generated;
- ``ssh_authorized_keys`` at the top level go to the default user, and to root unless
  ``disable_root`` (on by default) puts a refusal in front of them;
- of several cloud-config parts the last one to name a setting wins, lists included (measured with
  22.4: the default is ``dict(replace)+list()+str()``), so ours joins their last one and carries
  the authorized keys of all.
"""

import re
from collections.abc import Iterator, Sequence
from email import message_from_string
from email.message import Message
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from typing import Any, Final

import yaml

from remuda.ssh.api import HostKey
from remuda.yamlplace import place_of

#: Nova refuses longer ones (its API schema: maxLength of ``user_data``), counted after base64.
BASE64_CHARS_MAX: Final = 65_535

# The C emitter, where PyYAML has it: somebody waits for every order, and Python's takes 0.3 ms.
_DUMPER: Final = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_CLOUD_CONFIG: Final = "#cloud-config"
_ARCHIVE: Final = "#cloud-config-archive"
_CONFIG_TYPE: Final = "text/cloud-config"

#: The first line, and the MIME type cloud-init gives it when it stands alone.
_FORMS: Final = (
    ("#!", "text/x-shellscript"),
    ("#include-once", "text/x-include-once-url"),
    ("#include", "text/x-include-url"),
    ("#cloud-config-archive", "text/cloud-config-archive"),
    ("#cloud-config-jsonp", "text/cloud-config-jsonp"),
    ("#cloud-boothook", "text/cloud-boothook"),
    ("#part-handler", "text/part-handler"),
    ("## template: jinja", "text/jinja2"),
)


#: What the libraries that read YAML and MIME raise besides their own errors, for dates that there
#: are not, characters without a code, depths beyond the stack (measured by fuzzing).
_UNREADABLE: Final = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
_NOT_LETTERS: Final = re.compile("[^a-z]+")


class UserDataError(ValueError):
    """The operator's user data cannot be combined with ours; a change of configuration helps.

    The message says where, and quotes nothing: passwords and tokens stand in user data.

    Attributes:
        hint: What to write instead; may be empty.
    """

    def __init__(self, why: str, *, hint: str = "") -> None:
        super().__init__(why)
        self.hint = hint


def merge_user_data(
    theirs: str | None,
    *,
    host_key: HostKey | None = None,
    authorized_keys: Sequence[str] = (),
    username: str = "root",
) -> str:
    """Return user data that does what *theirs* says and also what we need.

    Args:
        theirs: A script, cloud-config, MIME multipart message, another form of cloud-init, or
            nothing.
        host_key: Becomes the only host key.
        authorized_keys: Public key lines of ours, which may then log in.
        username: Who logs in; root is let in only if the user data says so.

    Raises:
        UserDataError: *theirs* is of no known form, no valid YAML, or the result is too long.
    """
    ours = _ours(host_key, authorized_keys, username)
    theirs = (theirs or "").lstrip("\ufeff")
    try:
        merged = _joined(theirs, ours)
        check_size(merged)
    except UserDataError:
        raise
    except _UNREADABLE:
        raise UserDataError("the user data cannot be read as what its first line says") from None
    return merged


def cloud_configs(text: str) -> Iterator[str]:
    """Yield each YAML text in *text* that a merge would read: there may be one, several or none."""
    text = text.lstrip("\ufeff")
    if _is_config(text) or text.startswith(_ARCHIVE):
        yield text
    elif _is_mime(text):
        for part in message_from_string(text).walk():
            found = "" if part.is_multipart() else _text(part)
            if _is_config(found) or part.get_content_type() == _CONFIG_TYPE:
                yield found


def _joined(theirs: str, ours: dict[str, Any]) -> str:
    if not ours:
        return theirs
    if not theirs.strip():
        return _dump(ours)
    if _is_config(theirs):
        return _dump(_merged(_load(theirs), ours))
    if _is_mime(theirs):
        return _into_mime(theirs, ours)
    return _two_parts(theirs, ours)


def check_size(text: str) -> None:
    """Make sure that a cloud takes *text* as user data.

    Raises:
        UserDataError: It is too long; the message has the numbers.
    """
    size = len(text.encode())
    chars = (size + 2) // 3 * 4
    if chars > BASE64_CHARS_MAX:
        raise UserDataError(
            f"user data of {size} bytes is {chars} characters in base64; clouds take "
            f"{BASE64_CHARS_MAX}: let it fetch its larger parts",
            hint="have it fetch its larger parts from somewhere",
        )


def _ours(
    host_key: HostKey | None, authorized_keys: Sequence[str], username: str
) -> dict[str, Any]:
    ours: dict[str, Any] = {}
    if host_key is not None:
        ours["ssh_deletekeys"] = True
        ours["ssh_keys"] = {
            "ed25519_private": host_key.private,
            "ed25519_public": host_key.public,
        }
    if authorized_keys:
        ours["ssh_authorized_keys"] = [*authorized_keys]
        if username == "root":
            ours["disable_root"] = False
    return ours


def _is_config(text: str) -> bool:
    return text.split("\n", 1)[0].strip() == _CLOUD_CONFIG


def _is_mime(text: str) -> bool:
    head = text[:4096].lower()
    return head.startswith(("content-type:", "mime-version:")) and "multipart/" in head


def _dump(config: dict[str, Any]) -> str:
    return f"{_CLOUD_CONFIG}\n" + yaml.dump(config, Dumper=_DUMPER, sort_keys=False, width=4096)


def _load(text: str) -> dict[str, Any]:
    """Read a cloud-config text."""
    try:
        config = yaml.safe_load(text)
    except yaml.YAMLError as exc:
        raise UserDataError(
            f"the #cloud-config is not valid YAML, at {place_of(exc)}",
            hint="cloud-init schema --config-file FILE says more",
        ) from None
    if config is None:
        return {}
    if not isinstance(config, dict):
        raise UserDataError(
            f"the #cloud-config must be a mapping, not a {type(config).__name__}",
            hint="write keys and values below the first line, for example packages: [git]",
        )
    return config


def _authorized(config: dict[str, Any]) -> list[str]:
    keys = config.get("ssh_authorized_keys") or []
    if not isinstance(keys, list):
        raise UserDataError("ssh_authorized_keys of the #cloud-config must be a list")
    return keys


def _merged(config: dict[str, Any], ours: dict[str, Any]) -> dict[str, Any]:
    """Their wishes stay unless one would keep us out or change the host key."""
    merged = {**config, **ours}
    if "ssh_authorized_keys" in ours:
        held = _authorized(config)
        fresh = [key for key in ours["ssh_authorized_keys"] if key not in held]
        merged["ssh_authorized_keys"] = [*held, *fresh]
    return merged


def _two_parts(theirs: str, ours: dict[str, Any]) -> str:
    """Put a form that is no cloud-config beside ours."""
    kind = next((kind for start, kind in _FORMS if theirs.startswith(start)), None)
    if kind is None:
        raise _formless(theirs)
    if theirs.startswith(_ARCHIVE):
        _check_archive(theirs)
    whole = MIMEMultipart()
    whole.attach(_part(theirs, kind, "operator"))
    whole.attach(_part(_dump(ours), _CONFIG_TYPE, "remuda.cfg"))
    return whole.as_string()


def _formless(theirs: str) -> UserDataError:
    """Return what is wrong with a first line that tells no form."""
    first = theirs.split("\n", 1)[0].strip()
    if not first:
        return UserDataError(
            "the first line of the user data is blank, and it is the one that tells the form",
            hint="begin with #cloud-config or #!",
        )
    if first.startswith("#") and _NOT_LETTERS.sub("", first.lower()) == "cloudconfig":
        hint = f"write {_CLOUD_CONFIG} as the first line, just so"
    else:
        hint = f"begin with {_CLOUD_CONFIG} for a configuration, with #! for a script"
    return UserDataError(
        "the first line of the user data is of no form that cloud-init knows "
        "(a script begins with #!, a configuration with #cloud-config)",
        hint=hint,
    )


def _check_archive(theirs: str) -> None:
    try:
        parts = yaml.safe_load(theirs)
    except yaml.YAMLError as exc:
        raise UserDataError(f"the {_ARCHIVE} is not valid YAML, at {place_of(exc)}") from None
    if not isinstance(parts, list):
        raise UserDataError(f"the {_ARCHIVE} must be a list of parts")


def _into_mime(theirs: str, ours: dict[str, Any]) -> str:
    """Add ours to the last cloud-config part of a message, or as a new last part."""
    whole = message_from_string(theirs)
    if not whole.is_multipart():
        raise UserDataError("the MIME message is damaged: no parts were found in it")
    parts: list[Message] = whole.get_payload()  # type: ignore[assignment]
    config: dict[str, Any] = {}
    last: int | None = None
    held: list[str] = []
    for place, part in enumerate(parts):
        text = _text(part)
        if _is_config(text) or part.get_content_type() == _CONFIG_TYPE:
            config, last = _load(text), place
            held += [key for key in _authorized(config) if key not in held]
    if held and "ssh_authorized_keys" in ours:
        config = {**config, "ssh_authorized_keys": held}
    merged = _dump(_merged(config, ours))
    if last is None:
        parts.append(_part(merged, _CONFIG_TYPE, "remuda.cfg"))
    else:
        parts[last] = _part(merged, _CONFIG_TYPE, parts[last].get_filename())
    return whole.as_string()


def _text(part: Message) -> str:
    raw = part.get_payload(decode=True)
    return raw.decode(errors="replace") if isinstance(raw, bytes) else ""


def _part(text: str, kind: str, filename: str | None) -> MIMEText:
    charset = "us-ascii" if text.isascii() else "utf-8"
    part = MIMEText(text, kind.split("/", 1)[1], charset)
    if filename:
        part.add_header("Content-Disposition", "attachment", filename=filename)
    return part
