"""Scripts and user data that no machine can make anything of, said before one is made."""

import tempfile
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remuda.config.loader import read
from remuda.config.machinetexts import SAMPLE_HOST_KEY
from remuda.ssh.hostkeys import make_host_key
from remuda.ssh.userdata import merge_user_data
from tests.unit.config.conftest import GOOD, WITH_KEY

_HERE: Final = "providers.osic.pools.main.labels.small"
_UNIX: Final = "; save it with the line ends of Unix: sed -i 's/\\r$//' FILE"
_CRLF: Final = "has Windows line ends (CRLF): its #! names no interpreter"
_NO_YAML: Final = "is no valid cloud-config: it is no YAML, at line"
_HALF_MESSAGE: Final = 'Content-Type: multipart/mixed; boundary="b"\n\n--b\n'

#: User data of every kind that each launch would fail with, and what is said of it.
BAD: Final = {
    "unclosed": (
        "#cloud-config\npackages: [git\n",
        f"{_NO_YAML} 3, column 1; cloud-init schema --config-file FILE says more",
    ),
    "tabs": (
        "#cloud-config\na:\n\tb: c\n",
        f"{_NO_YAML} 3, column 1; indent with spaces, not tabs",
    ),
    "list": (
        "#cloud-config\n- a\n",
        (
            "cannot be used: the #cloud-config must be a mapping, not a list;"
            " write keys and values below the first line, for example packages: [git]"
        ),
    ),
    "word": ("#cloud-config\npackages\n", "must be a mapping, not a str"),
    "no such date": ("#cloud-config\na: 2024-99-99\n", "cannot be read as what its first line"),
    "two documents": ("#cloud-config\na: 1\n---\nb: 2\n", f"{_NO_YAML} 3, column 1; one file"),
    "nested": ("#cloud-config\na: " + "[" * 4000 + "]" * 4000, f"{_NO_YAML} 2"),
    "multiplied": (
        "#cloud-config\na0: &a0 {b: 1}\n"
        + "".join(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}\n" for n in range(1, 30)),
        _NO_YAML,
    ),
    "keys": (
        "#cloud-config\nssh_authorized_keys: me\n",
        "cannot be used: ssh_authorized_keys of the #cloud-config must be a list",
    ),
    "no header": (
        "packages: [git]\n",
        "; begin with #cloud-config for a configuration, with #! for a script",
    ),
    "header with a blank": ("# cloud-config\na: b\n", "; write #cloud-config as the first line"),
    "other header": ("#Cloud_Config\na: b\n", "; write #cloud-config as the first line"),
    "blank first line": (
        "\n#cloud-config\na: b\n",
        (
            "cannot be used: the first line of the user data is blank, and it is the one that tells"
            " the form; begin with #cloud-config or #!"
        ),
    ),
    "script of Windows": ("#!/bin/sh\r\necho\r\n", _CRLF + _UNIX),
    "archive": ("#cloud-config-archive\na: b\n", "must be a list of parts"),
    "message": ("Content-Type: multipart/mixed\n\nnothing", "no parts were found in it"),
    "part": (f"{_HALF_MESSAGE}Content-Type: text/cloud-config\n\na: [\n--b--\n", _NO_YAML),
    # As many bytes as Nova takes, but not as MIME writes such letters: base64 of base64.
    "long": ("#!/bin/sh\n#" + "ä" * 19_900, "clouds take 65535"),
}
GOOD_ONES: Final = (
    "#cloud-config\npackages: [git]\n",
    "#cloud-config\r\npackages: [git]\r\n",
    "\ufeff#cloud-config\na: b\n",
    "#!/bin/sh\ntrue\n",
    "#include\nhttps://example.org/data\n",
    "#cloud-config-archive\n- {type: text/cloud-config, content: 'a: b'}\n",
    "## template: jinja\n#cloud-config\na: {{ v1.region }}\n",
    f"{_HALF_MESSAGE}Content-Type: text/cloud-config\n\na: b\n--b--\n",
)
#: What images without cloud-init read; we add nothing to it.
OTHERS: Final = (
    '{"ignition": {"version": "3.0.0"}}\n',
    "<powershell>\r\necho\r\n</powershell>\r\n",
)


def _told(folder: Path, text: str, entry: str, change: tuple[str, str] = ("", "")) -> list[str]:
    """Return what is said of GOOD with a change, one more line, and *text* in a file."""
    (folder / "config.yaml").write_text(f"{GOOD}            {entry}\n".replace(*change))
    (folder / "data").write_bytes(text.encode(errors="surrogatepass"))
    (folder / "node-key").touch(mode=0o600)
    reading = read(folder / "config.yaml", environ={})
    told = [*map(str, reading.problems), *(f"warning: {each}" for each in reading.warnings)]
    return [each.replace(f"{folder}/config.yaml:", "") for each in told]


@pytest.mark.parametrize("kind", BAD)
def test_user_data_that_every_launch_would_fail_with(tmp_path: Path, kind: str) -> None:
    """Told at the key that names its file; a launcher does not begin with it either."""
    text, said = BAD[kind]

    lines = _told(tmp_path, text, "user-data-file: data", ("cloud: osic\n", f"{WITH_KEY}\n"))

    assert len(lines) == 1
    assert lines[0].startswith(f"15:29: {_HERE}.user-data-file: ")
    assert said in lines[0]


def test_user_data_in_place_is_told_of_in_place(tmp_path: Path) -> None:
    """Lines are those of the user data itself; nothing of it is quoted."""
    entry = 'user-data: "#cloud-config\\npassword: {s3cret\\n"'

    (line,) = _told(tmp_path, "", entry)

    assert line.startswith(f"14:24: {_HERE}.user-data: {_NO_YAML} 3, column 1")
    assert "s3cret" not in line


def test_sizes_are_those_of_real_keys() -> None:
    """So that nothing is called too long here that a launch could send, nor the reverse."""
    real, sample = (
        merge_user_data("#cloud-config\na: b\n", host_key=key)
        for key in (make_host_key(), SAMPLE_HOST_KEY)
    )

    assert len(real) == len(sample)


@pytest.mark.parametrize("text", GOOD_ONES)
def test_user_data_that_cloud_init_knows_is_good(tmp_path: Path, text: str) -> None:
    """In every form."""
    assert _told(tmp_path, text, "user-data-file: data") == []


@pytest.mark.parametrize("text", OTHERS)
def test_user_data_without_a_word_of_ours_may_have_any_form(tmp_path: Path, text: str) -> None:
    """Images without cloud-init have forms of their own; but then nothing is to be added."""
    scan = ("flavor: m1.small\n", "flavor: m1.small\n            host-keys: scan\n")
    keyed = ("cloud: osic\n", f"{WITH_KEY}\n")

    assert _told(tmp_path, text, "user-data-file: data", scan) == []
    assert "of no form" in _told(tmp_path, text, "user-data-file: data")[0]
    (tmp_path / "config.yaml").write_text(
        f"{GOOD}            user-data-file: data\n".replace(*scan).replace(*keyed)
    )
    assert "of no form" in str(read(tmp_path / "config.yaml", environ={}).problems[0])


SCRIPTS: Final = {
    "#!/bin/sh\r\ntrue\r\n": _CRLF + _UNIX,
    "#!/bin/sh\r\ntrue\n": _CRLF + _UNIX,
    "if true; then\r\ntrue\r\nfi\r\n": "has Windows line ends (CRLF), which a shell takes for",
    "#!/bin/sh\ntrue\r\ntrue\n": "warning: a Windows line end (CRLF) in line 2" + _UNIX,
    "true\0\n": "has a NUL in line 1: it is no script; write text",
    "\n#!/bin/bash\ntrue\n": "warning: its #! below a blank line, where it counts for nothing",
}


@pytest.mark.parametrize("text", SCRIPTS)
@pytest.mark.parametrize("kind", ["setup", "check", "step"])
def test_scripts_that_cannot_run(tmp_path: Path, kind: str, text: str) -> None:
    """Setup, checks and steps of images: every script, where its file is named."""
    recipe = "images: {i: {base: b, flavor: f, steps: [{script: {file: data}, timeout: 1m}]}}\n"
    changes = {
        "setup": ("min-ready: 1", "setup: {file: data}"),
        "check": ("min-ready: 1", "checks: [{script: {file: data}}]"),
        "step": ("labels:\n", f"{recipe}labels:\n"),
    }
    old, new = changes[kind]
    (tmp_path / "config.yaml").write_text(
        GOOD.replace("cloud: osic", WITH_KEY).replace(old, new, 1)
    )
    (tmp_path / "data").write_bytes(text.encode())
    (tmp_path / "node-key").touch(mode=0o600)

    reading = read(tmp_path / "config.yaml", environ={})

    mild = SCRIPTS[text].startswith("warning: ")
    said = reading.warnings if mild else reading.problems
    (told,) = (each for each in said if each.path.endswith(".file"))
    assert (reading.config is not None) == mild
    assert SCRIPTS[text].removeprefix("warning: ") in str(told)


def test_scripts_of_others_may_lie_elsewhere(tmp_path: Path) -> None:
    """The file of another provider may well be another one on its host."""
    (tmp_path / "data").write_bytes(b"#!/bin/sh\r\n")
    (tmp_path / "config.yaml").write_text(
        GOOD.replace("flavor: m1.small", "flavor: m1.small\n            user-data-file: data")
    )

    assert read(tmp_path / "config.yaml", environ={}, provider="other").config is not None
    assert read(tmp_path / "config.yaml", environ={}, provider="osic").config is None


_LINES: Final = st.sampled_from(
    [
        *("#cloud-config", "#!/bin/sh", "#cloud-config-archive", "MIME-Version: 1.0", "--b", ""),
        *("--b--", 'Content-Type: multipart/mixed; boundary="b"', "\r", "\t- ", "\0", "? ["),
        *("Content-Type: text/cloud-config; charset=x", "Content-Transfer-Encoding: base64"),
        *("a: &a [*a]", "a: !!int x", "<<: *a", "- 0x_", "a: 2024-13-45", 'a: "\\ud800"'),
        *("1: !!binary x", "ssh_authorized_keys: [{}]", "ssh_keys: 1", "a: " + "9" * 5000),
        *("? {a: b}", "x: !!python/object:a b", "%YAML 9.9"),
    ]
) | st.text(max_size=20)


@settings(max_examples=200, deadline=None)
@given(st.lists(_LINES, max_size=8), st.sampled_from(("\n", "\r\n")))
def test_any_text_is_told_of_or_good(lines: list[str], end: str) -> None:
    """Whatever stands in such a file, there is a sentence and never an exception."""
    with tempfile.TemporaryDirectory() as folder:
        for entry in ("user-data-file: data", "setup: {file: data}"):
            for line in _told(Path(folder), end.join(lines), entry):
                assert "\n" not in line
