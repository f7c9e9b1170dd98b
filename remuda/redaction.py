"""Take secrets out of anything that is about to be shown: logs, status pages, failure reports.

Known key names are blanked whatever they hold; in free text the forms that are always secret
(private key blocks, bearer tokens, passwords in URLs and assignments) are.
"""

import re
from collections.abc import Mapping
from typing import Final

BLANK: Final = "[redacted]"
#: Deeper values are shown as text; honest events are flat.
DEPTH_MAX: Final = 6

_SECRET_KEYS: Final = re.compile(
    r"(?:^|[_.-])(?:pass(?:word|wd|phrase)?|adminpass|admin_pass|secret|token|private_key|"
    r"authorization|credentials?|user_data|cookie)(?:$|[_.-])",
    re.IGNORECASE,
)
#: Each form below has one of these; most texts have none, and a line is often logged in a hurry.
_SIGNS: Final = (":", "=", "-----BEGIN")
_KEY_BLOCK: Final = re.compile(
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)",
    re.DOTALL,
)
_BEARER: Final = re.compile(
    r"(?i)\b((?:authorization|x-auth-token|x-subject-token)['\"]?\s*[:=]\s*"
    r"(?:b?['\"])?(?:bearer |basic )?)[^\s'\",}]+"
)
_ASSIGNED: Final = re.compile(
    r"(?i)\b((?:password|passwd|passphrase|adminpass|secret|token)['\"]?\s*[:=]\s*['\"]?)"
    r"[^\s'\",}&]+"
)
_URL_LOGIN: Final = re.compile(r"(\b[a-z][a-z0-9+.-]*://[^/\s:@]+:)[^/\s@]+@")


def redact(key: str, value: object, *, depth: int = 0) -> object:
    """Return *value* without secrets; mappings, lists and tuples are searched.

    Args:
        key: The name it is shown under; some names make any value a secret.
        value: Anything.
        depth: For recursion.
    """
    if _SECRET_KEYS.search(key) and value is not None and not isinstance(value, bool):
        return BLANK
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping) and depth < DEPTH_MAX:
        return {str(k): redact(str(k), v, depth=depth + 1) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset) and depth < DEPTH_MAX:
        return [redact(key, item, depth=depth + 1) for item in value]
    if isinstance(value, bytes):
        return redact_text(value.decode("utf-8", "replace"))
    return redact_text(str(value))


def redact_text(text: str) -> str:
    """Return *text* without private keys, tokens and passwords that can be recognised."""
    if not any(sign in text for sign in _SIGNS):
        return text
    text = _KEY_BLOCK.sub(BLANK, text)
    text = _BEARER.sub(rf"\1{BLANK}", text)
    text = _ASSIGNED.sub(rf"\1{BLANK}", text)
    return _URL_LOGIN.sub(rf"\1{BLANK}@", text)
