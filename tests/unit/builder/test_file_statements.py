"""What is stated of a build by a command, and what is said when that is another one by now."""

from dataclasses import replace
from typing import Any

import jsonschema
import pytest

from builder.build import writes
from builder.build.stating import Making, completed, draft
from builder.upload.outcome import WholeImage
from remuda.config.recipes import ImageRecipe
from remuda.config.trees import TreeEntry
from remuda.images.statement import EXTERNAL, part_of, subject_in
from remuda.images.verifying import Compared, Outcome, Recorded, compare_recipe
from remuda.model.build import Build, BuildState, Why, encode_build
from remuda.model.builtfile import BuiltFile
from tests.support.statementschema import STATEMENT
from tests.unit.builder.filebench import file_recipe
from tests.unit.builder.handbench import BUILD, ME, PLACE, PROVIDER, recipe

FILE = BuiltFile(
    sha256="a" * 64, sha512="b" * 128, size_bytes=512, virtual_bytes=512, disk_format="raw"
)
MADE = Build(
    id=BUILD,
    state=BuildState.SNAPSHOTTING,
    why=Why.SCHEDULE,
    requested_s=1.0,
    since_s=1.0,
    started_s=1.0,
    owner=ME,
    provider=PROVIDER,
    place=PLACE,
    group=(PROVIDER,),
    file=FILE,
)
READ = {"reads": [{"path": "/elements"}], "secrets": ["TOKEN"]}
TREES = {"/elements": (TreeEntry(path="a/b", mode=0o100644, size=1, content="c" * 64),)}


def recorded(made: ImageRecipe) -> Recorded:
    """Return a build that was made by a recipe, with what is stated of it."""
    making = Making(build=MADE, recipe=made, installation="inst", trees=TREES)
    image = WholeImage(cloud_image="i", sha256=FILE.sha256, os_hash=f"sha512:{FILE.sha512}")
    build, upload = writes.whole(MADE, image, now_s=9.0)
    statement = completed(draft(making), build, upload)
    jsonschema.validate(dict(statement.doc), STATEMENT)
    kept = replace(build, statement=statement.digest)
    return Recorded(build=kept, raw_build=encode_build(kept), statement=statement)


def test_it_names_the_command_and_the_file_by_their_hashes() -> None:
    """And what the command has read; of secrets there are names only."""
    statement = recorded(file_recipe(command=READ)).statement
    doc = statement.doc  # type: ignore[union-attr]
    asked = part_of(doc, *EXTERNAL)
    assert asked["steps"] == []
    assert asked["command"]["diskFormat"] == "raw"
    assert len(asked["command"]["sha256"]) == 64
    assert asked["secrets"] == ["TOKEN"]
    assert part_of(subject_in(doc), "digest") == {"sha512": FILE.sha512, "sha256": FILE.sha256}
    inputs = part_of(doc, "predicate", "buildDefinition", "resolvedDependencies")
    assert [one["name"] for one in inputs] == ["command", "read 1: a/b"]
    assert part_of(doc, "predicate", "buildDefinition", "internalParameters", "record", "file")


@pytest.mark.parametrize(
    ("now", "trees", "same"),
    [
        (file_recipe(command=READ), TREES, True),
        (file_recipe(command={**READ, "run": "other"}), TREES, False),
        (file_recipe(command=READ), {"/elements": ()}, False),
        (recipe(), {}, False),
    ],
)
def test_another_command_is_found(now: ImageRecipe, trees: Any, *, same: bool) -> None:
    """Or other contents of what it reads, or a recipe that has none."""
    found: list[Compared] = list(compare_recipe(recorded(file_recipe(command=READ)), now, trees))
    outcomes = {one.outcome for one in found}
    assert outcomes == {Outcome.SAME if same else Outcome.DIFFERS}
    assert same or any("command" in one.why for one in found)
