"""What an image is made from, as one hash: equal hashes, equal inputs. Pure.

In it are the base, and all steps in order with the contents of their scripts and files, or the
command with what it reads; the variables and which secrets (not where they are found, nor their
values); all kinds of checks, as a build that never passed them is not of this recipe. Not in it is
what changes when and where an image is made, and how long that may take: schedule, providers,
flavor, limits, retries, names of steps.
"""

import hashlib
import json
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from remuda.config.imagecommand import ImageCommandFrom
from remuda.config.images import BuildStep, StepCopy
from remuda.config.parts import CheckFrom
from remuda.config.recipes import ImageRecipe, groups_of
from remuda.config.sources import UnreadableError
from remuda.config.trees import TreeEntry

#: Changes with what is hashed below: images of before then count as made from something else.
_SCHEMA: Final = 1

#: Of all images that are captured: a change of their checks wants no other machine.
_CAPTURED: Final = hashlib.sha256(b"captured").hexdigest()

#: What stands at each name of a file or folder that a step copies, or a command reads.
Trees = Mapping[str, Sequence[TreeEntry]]

#: Says what stands at a path of this host.
ReadTree = Callable[[Path], Sequence[TreeEntry]]


def copied_paths(recipe: ImageRecipe) -> tuple[str, ...]:
    """Return what steps of *recipe* copy, and its command reads, each once, sorted."""
    copied = {step.copied.source for step in recipe.steps if step.copied is not None}
    read = () if recipe.command is None else recipe.command.reads
    return tuple(sorted({*copied, *(one.path for one in read)}))


def read_trees(recipe: ImageRecipe, read: ReadTree) -> Trees:
    """Return what stands at each path that steps of *recipe* copy.

    Raises:
        UnreadableError: If one of them cannot be read.
    """
    trees: dict[str, Sequence[TreeEntry]] = {}
    for path in copied_paths(recipe):
        try:
            trees[path] = read(Path(path))
        except UnreadableError as error:
            raise UnreadableError(f"{path!r}, which it copies or reads, {error}") from None
    return trees


def image_fingerprint(recipe: ImageRecipe, trees: Trees) -> str:
    """Return one hash for all groups; a provider more with an equal making does not change it.

    Raises:
        KeyError: One of the trees is not there.
        ValueError: A script was never read.
    """
    prints = sorted({fingerprint(recipe, group[0], trees) for group in groups_of(recipe)})
    if len(prints) == 1:
        return prints[0]
    return hashlib.sha256("\n".join(prints).encode()).hexdigest()


def fingerprint(recipe: ImageRecipe, provider: str, trees: Trees) -> str:
    """Return the hash of what *provider* makes the image from, 64 hexadecimal digits.

    *trees* say what each of ``copied_paths`` holds, as read by ``remuda.config.trees.read``.

    Raises:
        KeyError: The image is not for *provider*, or one of the trees is not there.
        ValueError: A script was never read.
    """
    making = recipe.makings[provider]
    if recipe.command is not None:
        return _hash(
            {
                "schema": _SCHEMA,
                "command": _command(recipe.command, trees),
                # One file for all of them: each has to let its own user in.
                "usernames": sorted({one.username for one in recipe.makings.values()}),
                "environment": dict(recipe.environment),
                "checks": [_check(check) for check in recipe.checks],
                **_offline(recipe),
            }
        )
    if making.base is None:
        return _CAPTURED
    used = {name for step in recipe.steps for name in step.secrets}
    return _hash(
        {
            "schema": _SCHEMA,
            "base": making.base.model_dump(exclude_defaults=True),
            "username": making.username,
            "environment": dict(recipe.environment),
            "steps": [_step(step, trees) for step in recipe.steps],
            "secrets": sorted(used),
            "checks-before": [_check(check) for check in recipe.checks_before],
            "checks": [_check(check) for check in recipe.checks],
            **_offline(recipe),
        }
    )


def step_hash(step: BuildStep, trees: Trees) -> str:
    """Return the hash of one step, with its script, or with what it copies; raises as above."""
    return _hash(_step(step, trees))


def command_hash(command: ImageCommandFrom, trees: Trees) -> str:
    """Return the hash of a command, with its script and what it reads; raises as above."""
    return _hash(_command(command, trees))


def check_hash(check: CheckFrom) -> str:
    """Return the hash of one check, with its script; raises as above."""
    return _hash(_check(check))


def _hash(document: Mapping[str, Any]) -> str:
    # Keys with their defaults are left out, so that a new key changes no hash.
    # ASCII: names of files may hold bytes that are no text.
    text = json.dumps(document, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _step(step: BuildStep, trees: Trees) -> dict[str, Any]:
    doc: dict[str, Any] = {"as-root": step.as_root, "secrets": sorted(step.secrets)}
    if step.script is not None:
        doc["script"] = step.script.sha256
        doc["arguments"] = list(step.script.arguments)
        doc["environment"] = dict(step.script.environment)
    elif step.copied is not None:
        doc["copy"] = _copy(step.copied, trees)
    elif step.packages is not None:
        doc["packages"] = list(step.packages)
    else:
        doc["command"] = step.command
    return doc


def _command(command: ImageCommandFrom, trees: Trees) -> dict[str, Any]:
    # What it may take is no input: neither its time, nor its room.
    doc = command.model_dump(
        exclude={"run", "script", "reads", "timeout", "max_size"}, exclude_defaults=True
    )
    doc |= {"run": command.text, "arguments": list(command.arguments)}
    doc["secrets"] = sorted(set(command.secrets))
    doc["reads"] = [_contents(trees[path]) for path in dict.fromkeys(_read_by(command))]
    return doc


def _read_by(command: ImageCommandFrom) -> Iterator[str]:
    return (one.path for one in command.reads)


def _contents(entries: Sequence[TreeEntry]) -> list[list[Any]]:
    """Return what is in a tree, wherever it stands: of modes, only whether it may be run."""
    return [
        [one.path, stat.S_IFMT(one.mode), one.mode & stat.S_IXUSR, one.content]
        for one in sorted(entries)
    ]


def same_contents(one: Sequence[TreeEntry], other: Sequence[TreeEntry]) -> bool:
    """Whether a command reads the same of two trees that stood at its path."""
    return _contents(one) == _contents(other)


def same(copied: StepCopy, one: Sequence[TreeEntry], other: Sequence[TreeEntry]) -> bool:
    """Whether a step copies the same of two trees that stood at its path."""
    return _copy(copied, {copied.source: one}) == _copy(copied, {copied.source: other})


def _copy(copied: StepCopy, trees: Trees) -> dict[str, Any]:
    return {
        "to": copied.to,
        "mode": copied.mode,
        "owner": copied.owner,
        "tree": list(_tree(copied, sorted(trees[copied.source]))),
    }


def _tree(copied: StepCopy, entries: Sequence[TreeEntry]) -> Iterator[list[Any]]:
    for entry in entries:
        # Where the step sets the mode, that of a checkout here, which depends on its user, is lost.
        permissions = 0 if copied.mode else stat.S_IMODE(entry.mode) & 0o777
        yield [entry.path, stat.S_IFMT(entry.mode), permissions, entry.content]


def _offline(recipe: ImageRecipe) -> dict[str, Any]:
    # Of most there are none, and their hash stays what it was.
    checks = [_check(check) for check in recipe.offline_checks]
    return {"offline-checks": checks} if checks else {}


def _check(check: CheckFrom) -> dict[str, Any]:
    doc = check.model_dump(exclude={"name", "timeout", "script"}, exclude_defaults=True)
    if check.script is not None:
        doc["script"] = check.script.sha256
        doc["as-root"] = check.script.as_root
    return doc
