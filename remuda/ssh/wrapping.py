r"""Turns a script into the shell program that runs it on the machine; pure.

The program goes to a ``/bin/sh`` over its standard input, so that neither the text of the script
nor its environment is ever seen in a process list. It is one function that is called in its last
line: a connection that breaks half-way executes nothing. The script gets a file of its own (its
standard input must not be the program itself), is run by the interpreter its first line names
(which works where ``/tmp`` is mounted noexec), and is removed even if the connection breaks, on
which the shell may want to say a word. ``timeout`` of coreutils kills the script's whole process
group at its limit.

Whatever we start carries a random token in its environment (:data:`MARK`), by which another
program finds and ends it with all its descendants, in whatever process group. (The ``signal``
request of RFC 4254 would be shorter, but sshd refuses it to root.)

An account may not execute what it is told: its shell is ``nologin`` or ``true``, its password has
expired; or its shell says more than it is asked, as a ``.bashrc`` may. So the program says two
*answers* with a nonce, before and after the script (:mod:`remuda.ssh.answers`). It has to put them
together, so that nothing that merely repeats its input gives them.
"""

import math
import secrets
import shlex
from collections.abc import Sequence
from typing import Final

from remuda.ssh.api import Script

#: Between the polite TERM and KILL.
KILL_AFTER_S: Final = 2

#: ``timeout`` exits with these: 124 after TERM was enough, 137 after KILL (coreutils manual).
TIMED_OUT_CODES: Final = frozenset({124, 137})

#: Our own troubles on the machine; ``timeout`` and shells use 125 to 127 in this sense.
CANNOT_CODE: Final = 125

#: The variable that marks the processes of one command.
MARK: Final = "REMUDA_RUN"

_SHELL: Final = "/bin/sh"

#: The fixed words that sshd is asked to execute.
_RUN_PLAIN: Final = f"exec {_SHELL}"
_RUN_AS_ROOT: Final = f"{_SHELL} -c " + shlex.quote(
    f'if [ "$(id -u)" = 0 ]; then exec {_SHELL}; else exec sudo -n {_SHELL}; fi'
)

_PROGRAM: Final = """\
main() {{
{begin}
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
set -- {interpreter} "$d/script" {arguments}
if timeout -k {kill_after} {limit} true 2>/dev/null; then
set -- timeout -k {kill_after} {limit} "$@"
fi
(
{exports}
exec "$@"
) </dev/null &
p=$!
trap '' PIPE
wait "$p"
}}
main
{end}
"""

#: All goes one way from here on: what comes over the other was said by somebody else.
_BEGIN: Final = "exec 2>&1\nprintf '%s-%s\\n' {word} {nonce}"
_END: Final = "c=$?; printf '%s-%s %s\\n' {word} {nonce} $c; exit $c"
#: The first words of the two answers; the nonce follows after a dash.
BEGUN, ENDED = "remuda-begins", "remuda-ended"


def command(*, as_root: bool) -> str:
    """Return the command line of a shell that reads a program; it is always the same."""
    return _RUN_AS_ROOT if as_root else _RUN_PLAIN


def make_token() -> str:
    """Return a fresh value of :data:`MARK`."""
    return secrets.token_hex(16)


def program(script: Script, token: str, nonce: str) -> bytes:
    """Return what goes to the standard input of :func:`command`.

    Args:
        script: What to run.
        token: Fresh; it also ends the script's text in the program, so that no script can hold it.
        nonce: Fresh, and unlike *token* never told to the script: it is in the answers.
    """
    text = script.text.removesuffix("\n")
    return _PROGRAM.format(
        begin=_BEGIN.format(word=BEGUN, nonce=nonce),
        end=_END.format(word=ENDED, nonce=nonce),
        mark=f"END-{token}",
        text=text,
        exports=exports((*script.environment, (MARK, token))),
        interpreter=shlex.join(interpreter(script.text)),
        arguments=shlex.join(script.arguments),
        kill_after=KILL_AFTER_S,
        limit=math.ceil(script.timeout_s),
        cannot=CANNOT_CODE,
    ).encode()


def greeting(nonce: str) -> bytes:
    """Return the least program that answers as one with a script does, and needs no disk."""
    begin, end = _BEGIN.format(word=BEGUN, nonce=nonce), _END.format(word=ENDED, nonce=nonce)
    return f"main() {{\n{begin}\n{end}\n}}\nmain\n".encode()


def killer(token: str, signals: Sequence[str]) -> bytes:
    """Return a program, for :func:`command`, that ends what carries *token*; needs ``/proc``.

    Args:
        token: What to look for.
        signals: Names such as ``TERM``, a second apart, until nothing is found any more.
    """
    find = f"grep -ls {MARK}={token} /proc/[0-9]*/environ"
    each = 'for f in $found; do p=${f#/proc/}; kill -"$s" "${p%/environ}" 2>/dev/null; done'
    return (
        f"main() {{\nfor s in {shlex.join(signals)}; do\n"
        f'found=$({find})\n[ -n "$found" ] || exit 0\n{each}\nsleep 1\ndone\n}}\nmain\n'
    ).encode()


def exports(environment: tuple[tuple[str, str], ...]) -> str:
    """Return shell lines that export *environment*; its names were checked before."""
    # Joined: a Secret that needs no quoting would come back as it is, and hide in the line.
    return "\n".join(f"export {name}={shlex.quote(''.join(value))}" for name, value in environment)


def interpreter(text: str) -> tuple[str, ...]:
    """Return the interpreter and at most one argument, as the kernel reads a ``#!`` line."""
    first = text.split("\n", 1)[0].rstrip()
    if not first.startswith("#!"):
        return (_SHELL,)
    words = first[2:].strip().split(None, 1)
    return tuple(words) if words else (_SHELL,)


def shell_line(words: Sequence[str] | str) -> str:
    """Return the shell line that becomes a command: a program with arguments, or shell text."""
    if isinstance(words, str):
        return 'exec "${SHELL:-/bin/sh}" -c ' + shlex.quote(words)
    return "exec " + shlex.join(words)


def led_by(header: bytes) -> str:
    """Return the command that executes the first ``len(header)`` bytes of its standard input.

    What follows them is left for whatever the header executes: ``dd bs=1`` is the one reader that
    never takes more than it is told (POSIX), which a shell reading its program does not promise.
    """
    text = f'eval "$(dd bs=1 count={len(header)} 2>/dev/null)"'
    # By a POSIX shell, whatever the user's own is.
    return f"exec {_SHELL} -c {shlex.quote(text)}"
