"""What is judged of commands and their files, without any process."""

import struct
from typing import Any

import pytest

from builder.build import commanding
from builder.build.commanding import CommandEnd, CommandOrder, Cut
from builder.upload.disk_format import virtual_bytes
from remuda.config.imagecommand import ImageCommandFrom
from remuda.known_secrets import KNOWN
from remuda.model import tags
from remuda.model.build import Blame
from remuda.model.builtfile import BuiltFile
from remuda.model.tags import ImageTags
from remuda.secret import Secret
from tests.unit.builder.filebench import QCOW2, file_recipe, qcow2
from tests.unit.builder.handbench import BUILD, OWNER, recipe

GIB = 1 << 30
FILE = BuiltFile(
    sha256="a" * 64, sha512="b" * 128, size_bytes=512, virtual_bytes=GIB + 1, disk_format="raw"
)


def command(**changes: Any) -> ImageCommandFrom:
    """Return a command as a file has it."""
    return ImageCommandFrom.model_validate({"run": "true", "max-size": "2GiB", **changes})


def test_a_command_knows_what_it_is_for() -> None:
    """What says so is ours, whatever the recipe says; secrets are those that it names."""
    made = file_recipe(
        environment={"A": "1"}, command={"secrets": ["T"], "timeout": "5m", "max-size": "3MiB"}
    )
    order = commanding.order_of(made, BUILD, "alpha", {"T": Secret("swordfish")})
    assert order.environment["T"].reveal() == "swordfish"  # type: ignore[attr-defined]
    assert "swordfish" not in repr(order)
    said = {name: str(value) for name, value in order.environment.items() if name != "T"}
    assert said == {
        "A": "1",
        "REMUDA_IMAGE": "debian",
        "REMUDA_BUILD": "7",
        "REMUDA_PROVIDER": "alpha",
        "REMUDA_DISK_FORMAT": "raw",
    }
    assert (order.timeout_s, order.bytes_max) == (300.0, 3 << 20)


def test_what_is_made_on_a_machine_has_no_command() -> None:
    """Nobody asks for one."""
    with pytest.raises(ValueError, match="made on a machine"):
        commanding.command_of(recipe())


def test_a_script_brings_its_arguments() -> None:
    """A line of a shell has none."""
    script = {"script": {"inline": "#!/bin/sh\n", "arguments": ["a"]}}
    made = ImageCommandFrom.model_validate(script)
    assert (made.text, made.arguments) == ("#!/bin/sh\n", ("a",))
    assert (command().text, command().arguments) == ("true", ())


def test_a_host_without_path_has_a_usual_one() -> None:
    """And what is secret of an order is a plain text where a process gets it."""
    order = CommandOrder(text="", environment={"T": Secret("swordfish")})
    found = commanding.environment(order, {"OS_TOKEN": "x"}, home="/h", output="/o")
    assert found["PATH"].startswith("/usr/local/sbin:")
    assert found["T"].endswith("fish")
    assert type(found["T"]) is str
    assert "OS_TOKEN" not in found


@pytest.mark.parametrize(
    ("end", "found"),
    [
        (CommandEnd(code=0, output="err: 503 service unavailable"), None),
        (CommandEnd(code=0, cut=Cut(blame=Blame.BUILDER, why="x")), (Blame.BUILDER, "x")),
        (CommandEnd(code=-15), (Blame.BUILDER, "it was killed by signal 15")),
        (
            CommandEnd(code=None, cut=Cut(blame=Blame.RECIPE, why="late")),
            (Blame.BUILDER, "it could not be ended: it runs as another user, or hangs"),
        ),
        (CommandEnd(code=2, output="a\n b \n\n"), (Blame.RECIPE, "b (exit code 2)")),
        (CommandEnd(code=2, output="\n"), (Blame.RECIPE, "exit code 2")),
    ],
)
def test_whose_failure_an_end_is(end: CommandEnd, found: tuple[Blame, str] | None) -> None:
    """Most are the command's own."""
    assert commanding.why_failed(end) == found


@pytest.mark.parametrize("before", ["", "x" * 280, "x\n"])
def test_of_a_secret_in_its_last_line_no_half_is_told(before: str) -> None:
    """Whoever masks what is told of a failure would not know it, once it was cut."""
    value = "first-line-of-it\n" + "swordfish-" * 30
    KNOWN.hold("test", [value])
    found = commanding.why_failed(CommandEnd(code=1, output=f"{before}{value}\n"))
    assert found is not None
    assert "sword" not in found[1]


@pytest.mark.parametrize(
    ("head", "size", "form", "found"),
    [
        (b"", 0, "raw", "its file is empty"),
        (b"\0" * 512, 512, "raw", 512),
        (b"\0" * 512, 513, "raw", "whole sectors"),
        (QCOW2, 512, "raw", "it is declared to be raw, and is qcow2"),
        (b"#!/bin/sh\n", 512, "qcow2", "declared to be qcow2, and is not (disk-format: qcow2)"),
        (qcow2(size=GIB), 512, "qcow2", GIB),
        (qcow2(size=0), 512, "qcow2", "whole sectors"),
        (qcow2(size=GIB + 1), 512, "qcow2", "whole sectors"),
        (qcow2(size=2**63), 512, "qcow2", "and max-size is 2GiB"),
        (qcow2(backing=8), 512, "qcow2", "it is qcow2 with a backing file"),
        (qcow2(features=4), 512, "qcow2", "it is qcow2 with its data in another file"),
        (b"\0" * 512, 3 * GIB, "raw", "its disk has 3072 MiB, and max-size is 2GiB"),
    ],
)
def test_what_a_file_is_says_the_file(head: bytes, size: int, form: str, found: int | str) -> None:
    """Not what somebody calls it."""
    said = commanding.virtual_bytes(head, size, command(**{"disk-format": form}))
    if isinstance(found, int):
        assert said == found
    else:
        assert found in str(said)


def test_how_large_a_disk_is_stands_in_its_head() -> None:
    """Of raw data it is the file itself."""
    assert virtual_bytes(struct.pack(">24xQ", 1024) + b"\0" * 480, 99, "qcow2") == 1024
    assert virtual_bytes(b"", 1024, "raw") == 1024


def test_an_image_of_a_file_is_hidden_and_ours() -> None:
    """With what Nova heeds; its disk is never less than what is in it."""
    ours = ImageTags(owner=OWNER, image="debian", build="7", name="remuda-x")
    how = {"properties": {"hw_firmware_type": "uefi"}, "min-ram": "512MiB", "min-disk": "1025MiB"}
    made = commanding.image_order(FILE, command(**how), ours)
    assert made.hidden
    assert (made.min_disk_gib, made.min_ram_mib, made.sha512) == (2, 512, FILE.sha512)
    assert made.properties == {"hw_firmware_type": "uefi", **tags.make_image(ours)}
    larger = commanding.image_order(FILE, command(**{"min-disk": "9GiB"}), ours)
    assert larger.min_disk_gib == 9


@pytest.mark.parametrize(
    ("size", "told", "is_it"),
    [
        (512, f"sha512:{'B' * 128}", True),
        (512, f"sha256:{'a' * 64}", True),
        (511, f"sha512:{'b' * 128}", False),
        (512, f"sha512:{'a' * 128}", False),
        (512, f"md5:{'a' * 32}", False),
        (512, None, False),
    ],
)
def test_only_a_strong_hash_shows_that_an_image_is_a_file(
    size: int, told: str | None, *, is_it: bool
) -> None:
    """Whoever can change an image can make one of the same MD5."""
    assert commanding.is_the_file(FILE, size, told) is is_it


def test_what_is_cut_says_its_limit() -> None:
    """In words of the configuration."""
    order = CommandOrder(text="", timeout_s=90, bytes_max=1 << 20)
    assert commanding.late(order).why == "it was ended after 90s, its limit"
    assert commanding.too_large(order, 1 << 20) is None
    found = commanding.too_large(order, (1 << 20) + 1)
    assert found is not None
    assert found.why == "its file is larger than 1MiB, its max-size"
    assert commanding.no_room(5, 5) is None
    assert "has 1 MiB left" in (commanding.no_room(1 << 20, 3 << 20) or "")
