"""What carries docs/operations.md out reads the page and the units as people and systemd do."""

from pathlib import Path

import pytest

from tests.operations.page import PageError, Step, steps
from tests.operations.roots import Host
from tests.operations.units import UnitError, read_unit

_PAGE = """\
# Page

## First

On **zk1** and **zk2**, now:

```sh
one
two
```

```console
$ not this
```

## Second

On **run1**:

```sh
three
```
"""


def test_blocks_know_their_hosts_and_place() -> None:
    """Only `sh` is run."""
    assert [
        Step(hosts=("zk1", "zk2"), heading="First", line=8, script="one\ntwo\n"),
        Step(hosts=("run1",), heading="Second", line=21, script="three\n"),
    ] == list(steps(_PAGE))


def test_a_block_without_hosts_is_a_mistake() -> None:
    """The hosts of the section before are not meant."""
    with pytest.raises(PageError, match="line 21"):
        list(steps(_PAGE.replace("On **run1**:", "Then:")))


def host_with(folder: Path, **units: str) -> Host:
    """Return a host with unit files."""
    host = Host("h", folder, [])
    place = host.root / "etc/systemd/system"
    place.mkdir(parents=True)
    for name, text in units.items():
        (place / f"{name.replace('_AT', '@')}.service").write_text(text)
    return host


def test_a_unit_is_read_with_its_instance_and_drop_ins(tmp_path: Path) -> None:
    """Lists grow, and an empty value begins them anew."""
    text = "[Service]\n# no\nUser=a\nEnvironment=A=%i\nExecStart=/bin/x --for %i \\\n  --so\n"
    host = host_with(tmp_path, x_AT=text)
    folder = host.root / "etc/systemd/system/x@.service.d"
    folder.mkdir()
    (folder / "more.conf").write_text("[Service]\nUser=b\nEnvironment=\nEnvironment=B=1\n")

    unit = read_unit(host, "x@east")

    assert unit.last("User") == "b"
    assert unit.lines["Environment"] == ["B=1"]
    assert unit.last("ExecStart").split() == ["/bin/x", "--for", "east", "--so"]
    with pytest.raises(UnitError, match="no unit y"):
        read_unit(host, "y")
