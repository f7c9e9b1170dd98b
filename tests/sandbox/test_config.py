"""Reading configurations: what is not said is usual, all that is wrong is told at once."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from sandbox.cli import main
from sandbox.config import Config, MachineKind, stable_id, with_secrets
from sandbox.config_file import load, parse
from sandbox.faults import EffectKind
from sandbox.reading import BadInputError


def test_nothing_said_is_a_useful_cloud() -> None:
    """An empty file is as good as none."""
    config = parse(None)

    assert Config() == config
    assert tuple(flavor.name for flavor in config.flavors) == (
        "m1.tiny",
        "m1.small",
        "m1.medium",
        "m1.large",
    )
    assert "debian-12" in [image.name for image in config.images]


def test_secrets_are_made_up_unless_given() -> None:
    """No two sandboxes have a password in common that nobody chose; none of them prints."""
    given = parse({"users": [{"name": "me", "password": "mine"}], "control_token": "knobs"})
    one, other = with_secrets(Config()), with_secrets(Config())
    passwords = [user.password for config in (one, other) for user in config.users]

    assert len(set(passwords)) == len(passwords) == 4
    assert all(len(each) >= 16 for each in (*passwords, one.control_token))
    assert one.control_token != other.control_token
    assert with_secrets(given) == given
    assert not [each for each in (*passwords, one.control_token) if each in repr((one, other))]


def test_all_problems_are_told_at_once_with_their_places() -> None:
    """One run of the sandbox is enough to repair a file."""
    with pytest.raises(BadInputError) as caught:
        parse(
            {
                "machine": "none",
                "machines": "qemu",
                "boot_seconds": -1,
                "flavors": [{"vcpus": "two"}],
                "images": [{"name": 12.04}],
                "address_range": "10.0.0.0/8",
                "faults": [{"effect": "explode"}],
            }
        )

    text = "\n".join(caught.value.problems)
    assert "machine: is not a known key (did you mean machines?)" in text
    assert "machines: 'qemu' is not known; known are auto, namespace, plain, none" in text
    assert "boot_seconds: must be at least 0, not -1" in text
    assert "flavors[0].name: is required" in text
    assert "flavors[0].vcpus: must be a whole number, not text" in text
    assert "images[0].name: must be text, not a number (quote it)" in text
    assert "address_range: '10.0.0.0/8' is not auto or a network within 127.0.0.0/8" in text
    assert "faults[0].effect: 'explode' is not known; known are http, slow" in text


def test_what_is_named_is_looked_for_though_the_rest_is_wrong() -> None:
    """Names and ids are compared in what is written, not only in what could be read."""
    with pytest.raises(BadInputError) as caught:
        parse(
            {
                "regions": ["one", 2],
                "users": [{"name": "u", "projects": "p"}, 7],
                "quota": {"cores": -2},
                "boot_jitter": float("nan"),
                "delete_seconds": 10**400,
                "application_credentials": [{"name": "c", "user": "nobody", "project": "q"}],
                "images": [{"name": "i"}, {"name": "i"}],
                "faults": [{}, {"id": "config-0", "effect": "drop"}],
            }
        )

    problems = caught.value.problems
    assert "regions[1]: must be text, not a number (quote it)" in problems
    assert "users[0].projects: must be a list, not text" in problems
    assert "users[1]: must be a mapping, not a number" in problems
    assert "quota.cores: must be at least -1, not -2" in problems
    assert "boot_jitter: must be at least 0 and at most 1, not nan" in problems
    assert any(each.startswith("delete_seconds: must be at least 0 and at") for each in problems)
    assert "application_credentials[0].secret: is required" in problems
    assert "application_credentials[0].user: no user 'nobody'" in problems
    assert "application_credentials[0].project: no user has the project 'q'" in problems
    assert any(each.startswith("images: the id ") for each in problems)
    assert "faults: the id 'config-0' is there twice" in problems


def test_what_is_null_is_not_given() -> None:
    """A key may be emptied without taking it out."""
    empty = {"boot_seconds": None, "quota": None, "flavors": None, "regions": [], "ssh_port": None}

    assert Config() == parse(empty)


def test_values_are_taken_over() -> None:
    """Ids that are not given follow from names, so that they survive a restart."""
    config = parse(
        {
            "machines": "none",
            "clock_offset": -3600,
            "quota": {"instances": 3},
            "flavors": [{"name": "tiny", "ram": 64, "boot_seconds": 2}],
            "images": [{"name": "x", "properties": {"a": 1, "b": True}}],
            "faults": [{"effect": {"kind": "boot_error"}, "rate": 0.5}],
        }
    )

    assert MachineKind.NONE is config.machines
    assert (config.quota.instances, config.quota.cores) == (3, 20)
    assert config.clock_offset_s == -3600.0
    assert stable_id("flavor", "tiny") == config.flavors[0].id
    assert config.flavors[0].timing.boot_s == 2.0
    assert config.images[0].properties == (("a", "1"), ("b", "true"))
    assert EffectKind.BOOT_ERROR is config.faults[0].effect.kind
    assert config.faults[0].match.operation == "server.boot"


def test_relative_tars_are_looked_for_beside_the_file(tmp_path: Path) -> None:
    """A configuration can be moved together with its images."""
    (tmp_path / "x.tar").write_bytes(b"")
    (tmp_path / "c.yaml").write_text("images: [{name: x, tar: x.tar}, {name: y, tar: y.tar}]")

    with pytest.raises(BadInputError, match=r"images\[1\].tar: there is no file"):
        load(tmp_path / "c.yaml")


def test_names_that_clash_are_refused() -> None:
    """Two flavors of one name would be a riddle for clients."""
    with pytest.raises(BadInputError, match="flavors: 'a' is there twice"):
        parse({"flavors": [{"name": "a", "id": "1"}, {"name": "a", "id": "2"}]})


def test_yaml_that_is_none_is_told(tmp_path: Path) -> None:
    """So is a file that is not there."""
    (tmp_path / "c.yaml").write_text("a: [")

    with pytest.raises(BadInputError, match="is not YAML"):
        load(tmp_path / "c.yaml")
    with pytest.raises(BadInputError, match="cannot be read"):
        load(tmp_path / "missing.yaml")


def test_without_its_parts_it_says_what_is_missing() -> None:
    """They are an extra, which hosts of launchers do not have."""
    code = (
        "import runpy, sys; sys.modules['uvicorn'] = None;"
        "runpy.run_module('sandbox', run_name='__main__')"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )

    assert ended.returncode == 1
    assert "uvicorn" in ended.stderr
    assert "docs/sandbox.md" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_folder_is_no_journal(tmp_path: Path) -> None:
    """A mistake in what was asked for, as on any command line."""
    ended = CliRunner().invoke(main, ["--machines", "none", "--journal", str(tmp_path)])

    assert ended.exit_code == 2
    assert "is a directory" in ended.output
