"""The texts that machines run, scripts and user data: would they work there?

Nobody sees a machine read them: a script with the line ends of Windows, or a cloud-config that is
no YAML, is a launch that fails again and again. Nothing of a text is ever quoted, for passwords
and tokens stand in them; complaints name the line.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from remuda.config.base import Section, switch
from remuda.config.document import NotYamlError, Path, parse
from remuda.config.hostfiles import HostFiles
from remuda.config.model import USER_DATA_BYTES_MAX
from remuda.config.parts import ScriptText
from remuda.config.shape import sections
from remuda.config.use import Use, uses_of
from remuda.ssh.api import HostKey
from remuda.ssh.userdata import UserDataError, cloud_configs, merge_user_data

_SHEBANG: Final = "#!"
_UNIX: Final = "save it with the line ends of Unix: sed -i 's/\\r$//' FILE"
#: As long as those that a launcher makes (ed25519), line by line, so that sizes are right.
SAMPLE_HOST_KEY: Final = HostKey(
    public=f"ssh-ed25519 {'A' * 68}",
    private="".join("A" * chars + "\n" for chars in (35, 70, 70, 70, 70, 32, 33)),
)
_LOGIN_KEY: Final = SAMPLE_HOST_KEY.public


def check_texts(model: type[Section], data: object, host: HostFiles) -> None:
    """Report scripts and user data of *data*, a *model*, that no machine can make anything of."""
    for found in sections(model, data):
        if issubclass(found.model, ScriptText):
            _check_script(_place(found.path, found.raw, "file", "inline"), found.raw, host)
    for use in uses_of(data):
        _check_user_data(use, host)


def _place(path: Path, raw: Mapping[str, object], file: str, text: str) -> Path:
    """Return the key that a text came from: the loader fills *text* from *file*."""
    return (*path, text if raw.get(file) is None else file)


def _check_script(path: Path, raw: Mapping[str, object], host: HostFiles) -> None:
    text = raw.get("inline")
    if not isinstance(text, str):
        return
    if path[-1] == "inline" and not text.strip():
        host.report.warning(path, "is empty: nothing would be run")
    for said, hint, certain in _flaws(text):
        complain = _complain(path, host) if certain else host.report.warning
        complain(path, said, hint)


def _complain(path: Path, host: HostFiles) -> Callable[..., None]:
    written_here = path[-1] in {"inline", "user-data"}
    return host.report.problem if written_here else host.complain(path)


def _flaws(text: str) -> Iterator[tuple[str, str, bool]]:
    """Yield what is wrong with a script: words, hint, and whether it can surely not run."""
    lines = text.split("\n")
    if "\0" in text:
        line = next(number for number, one in enumerate(lines, 1) if "\0" in one)
        yield f"has a NUL in line {line}: it is no script", "write text", True
    ended = [number for number, one in enumerate(lines, 1) if one.endswith("\r")]
    if ended and (lines[0].startswith(_SHEBANG) and ended[0] == 1):
        yield "has Windows line ends (CRLF): its #! names no interpreter", _UNIX, True
    elif ended and len(ended) >= len([one for one in lines if one]):
        yield "has Windows line ends (CRLF), which a shell takes for words", _UNIX, True
    elif ended:
        yield f"has a Windows line end (CRLF) in line {ended[0]}", _UNIX, False
    first = next((one for one in lines if one.strip()), "")
    if first.startswith(_SHEBANG) and not lines[0].startswith(_SHEBANG):
        yield (
            "has its #! below a blank line, where it counts for nothing: /bin/sh would run it",
            "let it begin with #!",
            False,
        )


def _check_user_data(use: Use, host: HostFiles) -> None:
    text = use.entry.get("user-data")
    if not isinstance(text, str) or not text.strip() or len(text) > USER_DATA_BYTES_MAX:
        return
    path = _place(use.path, use.entry, "user-data-file", "user-data")
    if text.startswith(_SHEBANG) and text.split("\n", 1)[0].endswith("\r"):
        said = "has Windows line ends (CRLF): its #! names no interpreter"
        _complain(path, host)(path, said, _UNIX)
    host_key, keys = _what_we_add(use)
    # Without a word of ours in it, it is given as it is: images without cloud-init read others.
    complain = _complain(path, host) if host_key or keys else host.report.warning
    try:
        for part in cloud_configs(text):
            parse(part)  # bounds what is nested, or multiplied by aliases
        merge_user_data(text, host_key=host_key, authorized_keys=keys)
    except NotYamlError as error:
        place = f"line {error.place.line}, column {error.place.column}"
        hint = error.hint or "cloud-init schema --config-file FILE says more"
        complain(path, f"is no valid cloud-config: it is no YAML, at {place}", hint)
    except UserDataError as error:
        complain(path, f"cannot be used: {error}", error.hint)


def _what_we_add(use: Use) -> tuple[HostKey | None, tuple[str, ...]]:
    """Return the host key and the keys that a launcher would add, in the size that they have."""
    makes = use.entry.get("host-keys") in (None, "inject")
    injects = switch(use.provider.get("inject-key")) is not False
    logs_in = use.provider.get("ssh-key-file") is not None
    return SAMPLE_HOST_KEY if makes else None, (_LOGIN_KEY,) if injects and logs_in else ()
