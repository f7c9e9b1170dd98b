"""ZooKeeper's section alone: the same as the loader reads, or nothing."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from remuda.config import loader
from remuda.config.problems import ConfigInvalidError
from remuda.config.whereabouts import cut_out, read_zookeeper
from tests.support.processes import ROOT

REST = """
labels: {small: {min-ready: 1}}
providers:
  alpha:
    cloud: nowhere
    ssh-key-file: /does/not/exist
    pools: {main: {labels: {small: {image: i, flavor: f}}}}
"""
GOOD = (
    "zookeeper: {hosts: ['zk1:2181', 'zk2:2181'], chroot: /ci, session-timeout: 20s}\n",
    "zookeeper:\n  hosts:\n  - zk1:2181\n\n  # within\n  chroot: /ci\n",
    "zookeeper:\n  hosts: [\n    zk1:2181,\n  ]\n  auth: ${ZK}\n  auth-scheme: sasl\n",
    "zookeeper:   # as usual\r\n  hosts: [zk1:2181]\r\n",
)
#: The loader has a word with these, or reads them as something else than they seem.
LEFT_TO_THE_LOADER = (
    "",
    "zookeeper: {hosts: [zk1]}\n",
    "zookeeper: {hosts: [zk1:2181], chroot: /ci/}\n",
    "zookeeper: {hosts: [zk1:2181], auth-file: /does/not/exist}\n",
    "zookeeper: {hosts: [zk1:2181]}\nzookeeper: {hosts: [zk2:2181]}\n",
    "zookeeper: {hosts: [zk1:2181], hosts: [zk2:2181]}\n",
    "zookeeper: {auth: ${UNSET}}\n",
    "x-h: &h [zk1:2181]\nzookeeper: {hosts: *h}\n",
    "x-h: &h {hosts: [zk1:2181]}\nzookeeper:\n  <<: *h\n",
    "'zookeeper': {hosts: [zk1:2181]}\n",
    "x-text: 'it\nzookeeper: {hosts: [zk1:2181]}\nends here'\n",
    "x-map: {a: 1,\nzookeeper: {hosts: [zk1:2181]},\n b: 2}\n",
    "{zookeeper: {hosts: [zk1:2181]},\n",
)


def _loaded(file: Path, environ: dict[str, str]) -> object:
    try:
        return loader.load(file, provider="", environ=environ).zookeeper
    except ConfigInvalidError:
        return None


@pytest.mark.parametrize("text", GOOD)
@pytest.mark.parametrize(
    "before", ["", "# first\n---\n", "x-a: {b: [1, 'it''s']}\nx-c: |\n  it's {\n  d '\n"]
)
def test_what_is_plain_is_read_as_the_loader_reads_it(
    tmp_path: Path, text: str, before: str
) -> None:
    """Wherever it stands."""
    environ = {"ZK": "name:password"}
    for whole in (before + text + REST.lstrip(), before + REST.lstrip() + text):
        file = tmp_path / "remuda.yaml"
        file.write_text(whole, newline="")
        found = read_zookeeper(file, environ=environ)

        if "{\n" in before:  # as far as can be seen: a bracket that is never closed
            assert found is None or whole.index("zookeeper:") < whole.index("{\n")
        else:
            assert found is not None
            assert found == _loaded(file, environ)


@pytest.mark.parametrize("text", LEFT_TO_THE_LOADER)
def test_what_is_not_plain_is_left_to_the_loader(tmp_path: Path, text: str) -> None:
    """It says what is wrong, or reads what is meant."""
    file = tmp_path / "remuda.yaml"
    file.write_text(text + REST.lstrip())

    assert read_zookeeper(file, environ={}) is None
    assert read_zookeeper(tmp_path / "missing", environ={}) is None


PARTS = st.sampled_from(
    [
        *("zookeeper:", "zookeeper: ", " hosts: [zk1:2181]\n", "  chroot: /ci\n", "\n", "\r\n"),
        *(
            "x-a: ",
            "'",
            '"',
            "{",
            "}",
            "[",
            "]",
            ",",
            "#",
            "|\n",
            ">\n",
            "&a ",
            "*a",
            "---\n",
            "...\n",
        ),
        *(
            "zookeeper: {hosts: [zk2:2181]}\n",
            "labels: {}\n",
            " ",
            "\t",
            "\\",
            "\u2028",
            "? ",
            "- ",
        ),
    ]
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(PARTS, max_size=12))
def test_no_text_leads_elsewhere_than_with_the_loader(tmp_path: Path, parts: list[str]) -> None:
    """Another tree on the quiet is the worst that could come of it."""
    file = tmp_path / "remuda.yaml"
    file.write_text("".join(parts) + "\n" + REST.lstrip(), newline="")
    found, loaded = read_zookeeper(file, environ={}), _loaded(file, {})

    assert found is None or loaded is None or found == loaded


def test_a_section_within_a_text_is_none() -> None:
    """Set in, it is not of the top level."""
    assert cut_out("x: |\n  zookeeper: {}\n") is None
    assert cut_out("zookeeper: {a: 1}\nx: 1\n") == "zookeeper: {a: 1}"


def test_looking_with_a_configuration_does_not_read_all_of_it(tmp_path: Path) -> None:
    """Which takes a second for thousands of labels."""
    file = tmp_path / "remuda.yaml"
    file.write_text(GOOD[0] + REST)
    code = (
        "import sys; from pathlib import Path\n"
        "from remuda.cli.context import CommandContext\n"
        f"print(CommandContext(config=Path({str(file)!r})).options().where)\n"
        "print([one for one in ('remuda.config.loader', 'rich') if one in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )

    assert done.stdout == "zk1:2181,zk2:2181/ci\n[]\n"
