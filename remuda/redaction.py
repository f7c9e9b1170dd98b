r"""Take secrets out of anything that is about to be shown: logs, records, status pages, reports.

Three things are masked: the values that this process knows to be secret
(:mod:`remuda.known_secrets`), whatever stands under a name that says so (``OS_PASSWORD=``,
``"api_key":``, ``--token``), and what looks like a secret by itself (private key blocks, JSON web
tokens, the tokens of well-known services, logins in URLs).

All text is foreign here, and it comes long: it is cut before it is looked at, and no pattern takes
more than time in proportion to it (tests/unit/logs/test_pathological.py). That means: no two
repeats that can share their characters, a bound on each repeat, and a first character that
repeats cannot start a long search from (``(?<![\w-])``).
"""

import re
from collections.abc import Mapping
from typing import Final

from remuda.jsontext import shown_number
from remuda.known_secrets import KNOWN

BLANK: Final = "[redacted]"
#: Deeper values are shown as text; honest events are flat.
DEPTH_MAX: Final = 6
#: More text than this is cut before anything else; a record has as many bytes.
CHARS_MAX: Final = 256 * 1024
#: So much beyond a cut is looked at, too: a secret that the cut would halve is seen whole.
MARGIN: Final = 4_096
#: No private key is longer, not even with a console's words before each line.
_KEY_CHARS_MAX: Final = 16 * 1024

#: Of cloud-init's list of passwords so many lines are looked at.
_CHPASSWD_LINES_MAX: Final = 64

#: What a name has within it if its value is a secret.
_WORD: Final = (
    r"(?:pass(?:word|wd|phrase|code)|(?<!by)(?<!com)pass(?![a-z])|(?<![a-z])pwd(?![a-z])"
    r"|secret|token|api[_.-]?key|access[_.-]?key|private[_.-]?key|signing[_.-]?key"
    r"|encryption[_.-]?key)"
)
#: What stands around it in the same name, as in AWS_SECRET_ACCESS_KEY or adminPass_1.
_REST: Final = r"[\w.-]{0,32}"
#: A value: in quotes (also in quotes within quotes, as JSON in JSON), as a block of YAML, or bare.
_VALUE: Final = (
    r"(?:\\{1,4}[\"'](?P<inner>[^\n\"']{1,4096})"
    r"|\"(?P<double>(?:\\.|[^\"\\\n]){1,4096})|'(?P<single>[^'\n]{1,4096})"
    r"|[|>][-+0-9]{0,3}[ \t\r]{0,8}\n(?P<block>[ \t]{1,64}[^\n]{1,1024})"
    r"|(?P<bare>[^\s\"'&<][^\s\"'&<]{0,4095}))"
)
_SECRET_KEYS: Final = re.compile(
    r"(?:^|[_.-])(?:pass(?:word|wd|phrase)?|adminpass|admin_pass|secret|token"
    r"|(?:private|api|access)[_-]?key|authorization|credentials?|user_data|cookie)(?:$|[_.-])",
    re.IGNORECASE,
)
_SECRET_NAME: Final = re.compile(_WORD, re.IGNORECASE)
#: ``NAME=value``, ``name: value``, ``"name": "value"``.
_ASSIGNED: Final = re.compile(
    rf"{_WORD}{_REST}\\{{0,4}}[\"']?[ \t]{{0,8}}(?::=|=>|[:=])[ \t]{{0,8}}{_VALUE}", re.IGNORECASE
)
#: ``--password value``.
_OPTION: Final = re.compile(
    rf"(?<![\w-])--?[\w-]{{0,32}}?{_WORD}[\w-]{{0,32}}[ \t]{{1,4}}{_VALUE}", re.IGNORECASE
)
#: ``curl -u name:password``; two numbers are a user and a group.
_LOGIN: Final = re.compile(
    r"(?<![\w-])(?:-u|-U|--user|--proxy-user)[ \t=]{0,4}[\"']?(?!\d{1,10}:\d{1,10}(?!\S))"
    r"[^\s:\"'=/]{1,128}:(?P<bare>[^\s\"']{1,512})"
)
#: ``mysql -pvalue``: attached, for with a blank between it is the name of a database.
_ATTACHED: Final = re.compile(
    r"(?<![\w-])(?:mysql|mariadb)[\w-]{0,16}(?:[ \t]{1,4}(?!-p)[^\s;|&]{1,128}){0,16}"
    r"[ \t]{1,4}-p[\"']?(?P<bare>[^\s\"']{1,512})"
)
#: ``sshpass -p value``, or attached.
_SSHPASS: Final = re.compile(
    r"(?<![\w-])sshpass[ \t]{1,4}-p[ \t]{0,4}[\"']?(?P<bare>[^\s\"']{1,512})"
)
#: ``echo name:password | chpasswd``.
_CHPASSWD: Final = re.compile(
    r"(?<![^\s\"'])[\w.-]{1,32}:(?P<bare>[^\s\"']{1,256})[\"']?[ \t]{0,8}\|[ \t]{0,8}"
    r"(?:sudo[ \t]{1,8})?chpasswd"
)
#: ``Authorization: Bearer value``; all to the end of the line or of the quotes.
_HEADER: Final = re.compile(
    r"(?:authorization|(?:set-)?cookie|x-(?:auth|subject|service|storage)-token|x-api-key)"
    r"\\{0,4}[\"']?[ \t]{0,4}[:=][ \t]{0,4}(?:b(?=[\"']))?\\{0,4}[\"']?"
    r"(?P<bare>[^\n\"'\\]{1,8192})",
    re.IGNORECASE,
)
_BEARER: Final = re.compile(
    r"(?<![\w-])bearer[ \t]{1,4}(?P<bare>[\w.~+/=-]{8,8192})", re.IGNORECASE
)
#: ``https://name:password@host``, and a token alone in the place of the name; no port and path.
_URL_LOGIN: Final = re.compile(
    r"://(?:[^/\s:@\"']{0,128}:(?!\d{1,5}/)(?P<bare>[^\s@\"']{1,512})"
    r"|(?P<name>[^/\s:@\"']{20,512}))@"
)
#: What says by its form that it is a secret: of GitHub, GitLab, AWS, Slack, Google, npm, PyPI,
#: Vault and others, Fernet tokens of Keystone, JSON web tokens, hashes of passwords.
_TOKEN: Final = re.compile(
    r"(?<![A-Za-z0-9_-])(?P<bare>"
    r"gh[pousr]_[A-Za-z0-9]{20,255}|github_pat_\w{20,255}"
    r"|gl[a-z]{2,8}-[A-Za-z0-9_-]{16,255}|(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}"
    r"|xox[a-z]-[A-Za-z0-9-]{10,255}|sk-[A-Za-z0-9_-]{20,255}|AIza[A-Za-z0-9_-]{35}"
    r"|npm_[A-Za-z0-9]{30,255}|pypi-[A-Za-z0-9_-]{40,1024}|hv[sbr]\.[A-Za-z0-9_-]{20,1024}"
    r"|dckr_pat_[A-Za-z0-9_-]{20,255}|gAAAAA[A-Za-z0-9_-]{40,4096}={0,2}"
    r"|eyJ[A-Za-z0-9_-]{5,8192}\.[A-Za-z0-9_-]{2,8192}(?:\.[A-Za-z0-9_-]{0,8192}){0,3}"
    r"|\$(?:1|2[abxy]|5|6|7|y|gy)\$[./A-Za-z0-9$=,]{8,512})"
)
_KEY_MARK: Final = re.compile(
    r"-----(BEGIN|END) (?:[A-Z0-9]{1,16} ){0,4}PRIVATE KEY(?: BLOCK)?-----"
)
#: Colours and titles: they may stand between a name and its value.
_ANSI: Final = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]{0,32}[ -/]{0,4}[@-~]|\x1b\][^\x07\x1b]{0,1024}(?:\x07|\x1b\\)"
)

#: Each form has one of these; most texts have none, and a line is often logged in a hurry.
_SIGNS: Final = (
    *("pass", "pwd", "secret", "token", "key", "auth", "cookie", "bearer", "://"),
    *("-u", "--user", "gh", "gl", "akia", "asia", "abia", "acca", "xox", "sk-", "aiza", "npm_"),
    *("mysql", "mariadb", "pypi-", "hvs.", "hvb.", "hvr.", "dckr_", "gaaaaa", "eyj", "$"),
)
_FORMS: Final = (
    _HEADER,
    _ASSIGNED,
    _OPTION,
    _LOGIN,
    _ATTACHED,
    _SSHPASS,
    _CHPASSWD,
    _BEARER,
    _URL_LOGIN,
    _TOKEN,
)


def redact(key: str, value: object, *, depth: int = 0, chars_max: int = CHARS_MAX) -> object:
    """Return *value* without secrets; mappings, lists and tuples are searched.

    Args:
        key: The name it is shown under; some names make any value a secret.
        value: Anything.
        depth: For recursion.
        chars_max: Longer texts are cut in the middle.
    """
    if _SECRET_KEYS.search(key[:256]) and value is not None and not isinstance(value, bool):
        return BLANK
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return shown_number(value)
    if isinstance(value, Mapping) and depth < DEPTH_MAX:
        return {
            redact_text(str(k)): redact(str(k), v, depth=depth + 1, chars_max=chars_max)
            for k, v in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset) and depth < DEPTH_MAX:
        return [redact(key, item, depth=depth + 1, chars_max=chars_max) for item in value]
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return redact_middle(str(value), chars_max)


def redact_text(text: str) -> str:
    """Return *text* without what is known or looks to be secret; more than 256 Ki are cut."""
    if len(text) > CHARS_MAX:
        return redact_middle(text, CHARS_MAX)
    return _redacted(text)


def redact_middle(text: str, chars_max: int) -> str:
    """Return *text* without secrets, and without its middle if it is longer than *chars_max*."""
    if len(text) <= chars_max:
        return _redacted(text)
    head = chars_max // 4
    begin = redact_begin(text, head)
    return f"{begin} …{len(text) - chars_max} characters… {redact_end(text, chars_max - head)}"


def redact_begin(text: str, chars_max: int) -> str:
    """Return the first *chars_max* characters of *text*, without secrets."""
    seen = text[: chars_max + MARGIN]
    if len(text) > len(seen):
        # What is masked is shorter than it was, so that the margin may be shown: not its last
        # line, which is halved.
        whole = seen.rfind("\n", chars_max) + 1 or seen.rfind(" ", chars_max) + 1
        seen = seen[:whole] if whole else seen
    return _redacted(seen)[:chars_max]


def redact_end(text: str, chars_max: int) -> str:
    """Return the last *chars_max* characters of *text*, without secrets."""
    if len(text) <= chars_max:
        return _redacted(text)
    seen = text[-chars_max - MARGIN :]
    margin = len(seen) - chars_max
    # As above: its first line is halved, perhaps behind the name of a secret.
    whole = seen.find("\n", 0, margin) + 1 or seen.find(" ", 0, margin) + 1
    return _redacted(seen[whole:])[-chars_max:]


def secrets_in(text: str) -> list[str]:
    """Return what would be masked in *text*, such as a script that holds a token.

    What a shell or a template puts in there later is not known, and left out.
    """
    text = text[:CHARS_MAX]
    blocks = [text[start:stop] for start, stop in _key_blocks(text)]
    values = [
        found.group(_group_of(found)).strip() for form in _FORMS for found in form.finditer(text)
    ]
    values += _chpasswd_list(text)
    return [
        *blocks,
        *(value for value in values if not value.startswith(("$(", "${", "`", "{", "%"))),
    ]


def is_secret_name(name: str) -> bool:
    """Say whether a value of this name is a secret."""
    return _SECRET_NAME.search(name[:256]) is not None


def secret_values(data: object) -> list[str]:
    """Return the secrets of a document: what stands under such names, and what texts hold."""
    found: list[str] = []
    todo, seen = [data], set()
    while todo:
        one = todo.pop()
        if isinstance(one, str):
            found += secrets_in(one)
        elif isinstance(one, Mapping | list | tuple) and id(one) not in seen:
            seen.add(id(one))  # an alias of YAML may stand in itself
            named = one.items() if isinstance(one, Mapping) else enumerate(one)
            for key, value in named:
                secret = isinstance(value, str) and is_secret_name(str(key))
                (found if secret else todo).append(value)
    return found


def _chpasswd_list(text: str) -> list[str]:
    """Return the passwords of cloud-init's ``chpasswd``: a list of ``name:password``."""
    lines = text.partition("chpasswd:")[2].splitlines()[:_CHPASSWD_LINES_MAX]
    pairs = (line.strip().lstrip("- ").partition(":") for line in lines)
    return [password for _, _, password in pairs if password and not password[0].isspace()]


def _redacted(text: str) -> str:
    text = KNOWN.mask(text, BLANK)
    if "\x1b" in text or "\x9b" in text:
        text = KNOWN.mask(_ANSI.sub("", text), BLANK)
    if not _is_suspect(text):
        return text
    text = _without_keys(text)
    for form in _FORMS:
        text = form.sub(_without_value, text)
    return text


def _is_suspect(text: str) -> bool:
    lower = text.lower()
    for sign in _SIGNS:  # noqa: SIM110 - a generator costs several times as much
        if sign in lower:
            return True
    return False


def _without_keys(text: str) -> str:
    parts, done = [], 0
    for start, stop in _key_blocks(text):
        parts += [text[done:start], BLANK]
        done = stop
    return "".join([*parts, text[done:]])


def _without_value(found: re.Match[str]) -> str:
    """Return what a pattern found with its value blanked."""
    name, whole = _group_of(found), found.group()
    start = found.start(name) - found.start()
    stop = found.end(name) - found.start()
    return f"{whole[:start]}{BLANK}{whole[stop:]}"


def _group_of(found: re.Match[str]) -> str:
    """Return the name of the group that has the value; every pattern has one."""
    return str(found.lastgroup)


def _key_blocks(text: str) -> list[tuple[int, int]]:
    """Return where private keys stand, also such whose begin or end was cut off."""
    if "PRIVATE KEY" not in text:
        return []
    spans: list[tuple[int, int]] = []
    done, begun = 0, None
    for mark in _KEY_MARK.finditer(text):
        if begun is not None and mark.start() - begun > _KEY_CHARS_MAX:
            done = begun + _KEY_CHARS_MAX
            spans.append((begun, done))
            begun = None
        if mark.group(1) == "BEGIN":
            begun = mark.start() if begun is None else begun
            continue
        start = max(done, mark.end() - _KEY_CHARS_MAX) if begun is None else begun
        spans.append((start, mark.end()))
        done, begun = mark.end(), None
    if begun is not None:
        spans.append((begun, min(len(text), begun + _KEY_CHARS_MAX)))
    return spans
