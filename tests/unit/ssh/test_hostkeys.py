"""Fresh host keys."""

import subprocess
from pathlib import Path

from remuda.ssh.hostkeys import make_host_key
from remuda.ssh.link import fingerprint


def test_ssh_keygen_agrees_with_both_halves(tmp_path: Path) -> None:
    """The private text belongs to the public line, and our fingerprint is the usual one."""
    key = make_host_key()
    file = tmp_path / "key"
    file.touch(mode=0o600)
    file.write_text(key.private)

    public = _keygen("-y", "-f", str(file))
    shown = _keygen("-l", "-f", str(file))

    assert public.split()[:2] == key.public.split()
    assert fingerprint(key.public).split()[1] in shown


def _keygen(*words: str) -> str:
    done = subprocess.run(["ssh-keygen", *words], capture_output=True, text=True, check=True)
    return done.stdout


def test_every_key_is_another() -> None:
    """They are random."""
    assert make_host_key() != make_host_key()


def test_the_private_half_is_not_shown() -> None:
    """Neither in logs nor in tracebacks."""
    assert "PRIVATE" not in repr(make_host_key())


def test_what_is_no_key_has_itself_as_fingerprint() -> None:
    """A bad line of a configuration is shown as it is."""
    assert fingerprint("nonsense") == "nonsense SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"
    assert fingerprint("ssh-ed25519 %%%") == "ssh-ed25519 %%%"
