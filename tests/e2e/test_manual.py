"""Each shell block of README and docs: carried out in `remuda dev`, or named with a reason.

docs/operations.md has a test of its own, which needs several hosts: test_operations.py.
"""

import json
import re
import shutil
from collections.abc import Iterable, Iterator
from typing import Any, Final

import pytest

from tests.e2e.manual import CARRIED_OUT, NOT_CARRIED_OUT, Way
from tests.support import stage as stages
from tests.support.dev import Dev, running_dev
from tests.support.manual import Block, pages, shell_blocks

_OPERATIONS: Final = "docs/operations.md"
_BLOCKS: Final = {
    block.name: block
    for page in pages()
    for block in shell_blocks(page)
    if block.page != _OPERATIONS or block.text.startswith("$ ")
}


def known_as(name: str, table: dict[str, Any]) -> list[str]:
    """Return the entries of a table that mean a block."""
    return [key for key in table if name.startswith(key)]


def test_every_block_is_carried_out_or_has_a_reason() -> None:
    """One of both: a new block needs an entry, and no entry outlives its block."""
    tables: dict[str, Any] = {**CARRIED_OUT, **NOT_CARRIED_OUT}
    found = {name: known_as(name, tables) for name in _BLOCKS}

    assert {name: keys for name, keys in found.items() if len(keys) != 1} == {}
    assert {key for keys in found.values() for key in keys} == set(tables)


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    """Give a `remuda dev`, with what the examples take for granted in its folder."""
    if why := stages.missing():
        pytest.skip(why)
    with running_dev(tmp_path_factory.mktemp("dev")) as made:
        (made.folder / "run-tests.sh").write_text("#!/bin/sh\necho tested\n")
        (made.folder / "run-tests.sh").chmod(0o755)
        (made.folder / "src").mkdir()
        yield made


def filled_in(dev: Dev, text: str, way: Way) -> str:
    """Return a block with what is ours in place of the page's."""
    for old, new in way.instead:
        text = text.replace(old, new)
    if "{current}" in text:
        code, said = dev.run("remuda image list --json")
        assert code == 0, said
        tools = next(one for one in json.loads(said) if one["image"] == "tools")
        text = text.replace("{current}", str(tools["current"]))
        text = text.replace("{previous}", str(tools["previous"]))
    if "{node}" in text:
        code, said = dev.run("remuda request small --wait --detach --keep 5m")
        assert code == 0, said
        text = text.replace("{node}", re.search(r"^(\d{10}) ", said, re.MULTILINE)[1])  # type: ignore[index]
    if "{request}" in text:
        code, said = dev.run("remuda request small")
        assert code == 0, said
        text = text.replace("{request}", said.split()[-1])
    return text


@pytest.mark.e2e
@pytest.mark.ssh
@pytest.mark.zk
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", CARRIED_OUT)
def test_a_block_can_be_followed(name: str, dev: Dev) -> None:
    """Each of its commands does what it says, and ends with the code that it should."""
    way = CARRIED_OUT[name]
    if way.needs and shutil.which(way.needs) is None:
        pytest.skip(f"needs {way.needs}")
    (block,) = (block for each, block in _BLOCKS.items() if each.startswith(name))
    carry_out(dev, way.before, way)
    text = filled_in(dev, block.text, way)
    carry_out(dev, commands(block, text, way), way)


def carry_out(dev: Dev, each: Iterable[str], way: Way) -> None:
    """Run commands; each does what it says, and ends with the code that it should."""
    for command in each:
        code, said = dev.run(command, expected(command, way.until, ""))
        assert code == expected(command, way.codes, 0), f"{command}\n{said}"


def commands(block: Block, text: str, way: Way) -> list[str]:
    """Return what is run at a time."""
    if way.whole:
        return [text]
    return Block(page=block.page, line=block.line, text=text).commands()


def expected(command: str, table: dict[str, Any], usual: Any) -> Any:
    """Return what a table says of a command."""
    return next((value for part, value in table.items() if part in command), usual)
