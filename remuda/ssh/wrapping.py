r"""Turns a script into the shell program that runs it on the machine; pure.

The program goes to a ``/bin/sh`` over its standard input, so that neither the text of the script
nor its environment is ever seen in a process list. It is one function that is called in its last
line: a connection that breaks half-way executes nothing. The script gets a file of its own (its
standard input must not be the program itself), is run by the interpreter its first line names
(which works where ``/tmp`` is mounted noexec), and ``timeout`` of coreutils kills its whole
process group at its limit.
"""

import math
import secrets
import shlex
from typing import Final

from remuda.ssh.api import Script

#: Between the polite TERM and KILL.
KILL_AFTER_S: Final = 2

#: ``timeout`` exits with these: 124 after TERM was enough, 137 after KILL (coreutils manual).
TIMED_OUT_CODES: Final = frozenset({124, 137})

#: Our own troubles on the machine; ``timeout`` and shells use 125 to 127 in this sense.
CANNOT_CODE: Final = 125

_SHELL: Final = "/bin/sh"

#: The fixed words that sshd is asked to execute.
RUN_PLAIN: Final = f"exec {_SHELL}"
RUN_AS_ROOT: Final = f"{_SHELL} -c " + shlex.quote(
    f'if [ "$(id -u)" = 0 ]; then exec {_SHELL}; else exec sudo -n {_SHELL}; fi'
)

_PROGRAM: Final = """\
main() {{
umask 077
text() {{
cat <<'{mark}'
{text}
{mark}
}}
d=
for t in "${{TMPDIR:-/tmp}}" /dev/shm /var/tmp; do
d=$(mktemp -d "$t/remuda.XXXXXXXX" 2>/dev/null) || continue
text 2>/dev/null >"$d/script" && break
rm -rf "$d"
d=
done
if [ -z "$d" ]; then
echo 'no room for a temporary file on the machine'
exit {cannot}
fi
trap 'rm -rf "$d"' EXIT
trap 'kill -TERM "$p" 2>/dev/null; wait "$p"; exit 143' HUP INT TERM
umask 022
{exports}
set --
if timeout -k {kill_after} {limit} true 2>/dev/null; then set -- timeout -k {kill_after} {limit}; fi
"$@" {interpreter} "$d/script" </dev/null &
p=$!
wait "$p"
}}
main
exit $?
"""


def command(script: Script) -> str:
    """Return the command line for *script*; the same for all scripts, so it tells nothing."""
    return RUN_AS_ROOT if script.as_root else RUN_PLAIN


def program(script: Script, *, mark: str | None = None) -> bytes:
    """Return what goes to the standard input of :func:`command`.

    Args:
        script: What to run.
        mark: Ends the text of the script; random unless told, so that no script can hold it.
    """
    text = script.text.removesuffix("\n")
    return _PROGRAM.format(
        mark=mark or f"END-{secrets.token_hex(16)}",
        text=text,
        exports=exports(script.environment),
        interpreter=shlex.join(interpreter(script.text)),
        kill_after=KILL_AFTER_S,
        limit=math.ceil(script.timeout_s),
        cannot=CANNOT_CODE,
    ).encode()


def exports(environment: tuple[tuple[str, str], ...]) -> str:
    """Return shell lines that export *environment*; its names were checked before."""
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in environment)


def interpreter(text: str) -> tuple[str, ...]:
    """Return the interpreter and at most one argument, as the kernel reads a ``#!`` line."""
    first = text.split("\n", 1)[0].rstrip()
    if not first.startswith("#!"):
        return (_SHELL,)
    words = first[2:].strip().split(None, 1)
    return tuple(words) if words else (_SHELL,)
