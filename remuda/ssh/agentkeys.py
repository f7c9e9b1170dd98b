"""The public keys of a running ssh-agent, asked for with one deadline for the whole answer.

The protocol is that of draft-miller-ssh-agent: a request of one byte, an answer with a length. An
agent that hangs, or says nonsense, costs its deadline and one sentence.
"""

import base64
import os
import socket
import struct
from typing import Final

from remuda.model.publickey import KEYS_MAX, PublicKey, PublicKeyError, parse_key
from remuda.runtime.clock import Clock
from remuda.ssh.errors import KeySourceError

#: For everything together.
AGENT_S: Final = 5.0
#: OpenSSH's own agent answers with no more.
_ANSWER_BYTES_MAX: Final = 256 * 1024
_ASKED: Final = struct.pack(">IB", 1, 11)  # SSH_AGENTC_REQUEST_IDENTITIES
_ANSWERED: Final = 12  # SSH_AGENT_IDENTITIES_ANSWER
_HEAD_BYTES: Final = 5


def agent_keys(clock: Clock, path: str | None = None) -> tuple[PublicKey, ...]:
    """Return the keys of the agent that listens at *path*, else where SSH_AUTH_SOCK says.

    Those of types that are not taken are left out; there is at least one.

    Raises:
        KeySourceError: There is no agent, it does not answer in time, or it has no key for us.
    """
    path = path or os.environ.get("SSH_AUTH_SOCK")
    if not path:
        raise KeySourceError("no ssh-agent is running here: SSH_AUTH_SOCK is not set")
    try:
        answer = _ask(clock, path)
    except TimeoutError:
        raise KeySourceError(f"the ssh-agent has not answered in {AGENT_S:g} s") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it hung up"
        raise KeySourceError(f"the ssh-agent cannot be asked: {why}") from None
    try:
        found = _identities(answer)
    except (struct.error, IndexError):
        raise KeySourceError("what the ssh-agent answered is no list of keys") from None
    if not found:
        raise KeySourceError("the ssh-agent has no key of a type that is taken (ssh-add -L)")
    return found[:KEYS_MAX]


def _ask(clock: Clock, path: str) -> bytes:
    ends_s = clock.monotonic_s() + AGENT_S
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as agent:
        agent.settimeout(AGENT_S)
        agent.connect(path)
        agent.sendall(_ASKED)
        held = b""
        wanted = 4
        while len(held) < wanted:
            rest_s = ends_s - clock.monotonic_s()
            if rest_s <= 0:
                raise TimeoutError
            agent.settimeout(rest_s)
            more = agent.recv(wanted - len(held))
            if not more:
                raise ConnectionResetError
            held += more
            if len(held) == 4:  # noqa: PLR2004 - octets of the length
                size = int.from_bytes(held, "big")
                if not 0 < size <= _ANSWER_BYTES_MAX:
                    raise ValueError(size)
                wanted = 4 + size
        return held[4:]


def _identities(answer: bytes) -> tuple[PublicKey, ...]:
    kind, count = struct.unpack_from(">BI", answer)
    if kind != _ANSWERED:
        raise KeySourceError("the ssh-agent refuses to say which keys it has; is it locked?")
    found: list[PublicKey] = []
    rest = answer[_HEAD_BYTES:]
    for _ in range(count):
        blob, rest = _string(rest)
        comment, rest = _string(rest)
        type_, _ = _string(blob)
        line = b" ".join((type_, base64.b64encode(blob), comment))
        try:
            found.append(parse_key(line.decode("ascii", errors="replace")))
        except PublicKeyError:
            continue  # a certificate, or a key of a type that is not taken
    return tuple(found)


def _string(data: bytes) -> tuple[bytes, bytes]:
    (size,) = struct.unpack_from(">I", data)
    if len(data) < 4 + size:
        raise IndexError
    return data[4 : 4 + size], data[4 + size :]
