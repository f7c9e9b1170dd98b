"""Revoking a build with all that descends from it, and giving it back: pure, over all records."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from remuda.images.moves import MoveRefusedError, Shelf, readmit, without
from remuda.model.build import Build, Revocation
from remuda.model.image import BuildId, Word
from remuda.model.pointer import Pointer


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """The records that are to be written, all in one transaction."""

    builds: tuple[Build, ...]
    pointers: tuple[Pointer, ...]


def revoke(
    builds: Mapping[BuildId, Build],
    shelves: Iterable[Shelf],
    build_id: BuildId,
    word: Word,
    *,
    force: bool = False,
) -> Changes:
    """Return what revokes a build, its descendants, and takes pointers away from them.

    Args:
        builds: All builds, of all images.
        shelves: Each image in each provider that has a pointer to one.
        build_id: Which to revoke.
        word: Who wants it, and why.
        force: Also if launches have to wait then.

    Raises:
        MoveRefusedError: If nothing usable would be left somewhere, without *force*.
    """
    build = _known(builds, build_id)
    if build.revoked is not None and build.revoked.inherited is None:
        by = build.revoked.word
        raise MoveRefusedError(f"build {build_id} was revoked by {by.who} already: {by.why}")
    revoked = {build_id: replace(build, revoked=Revocation(word=word))}
    for child in _descendants(builds, build_id):
        if child.revoked is None:
            revoked[child.id] = replace(child, revoked=Revocation(word=word, inherited=build_id))
    pointers = [without(_after(one, revoked), word, force=force) for one in shelves]
    return Changes(
        builds=tuple(revoked.values()), pointers=tuple(one for one in pointers if one is not None)
    )


def restore(
    builds: Mapping[BuildId, Build], shelves: Iterable[Shelf], build_id: BuildId, word: Word
) -> Changes:
    """Return what takes a revocation back; no pointer moves for it but one that serves nothing.

    Raises:
        MoveRefusedError: If it is not revoked, or an ancestor of it still is.
    """
    build = _known(builds, build_id)
    if build.revoked is None:
        raise MoveRefusedError(f"build {build_id} is not revoked")
    ancestor = _revoked_ancestor(builds, build)
    if build.revoked.inherited is not None or ancestor is not None:
        above = build.revoked.inherited if ancestor is None else ancestor.id
        raise MoveRefusedError(f"build {build_id} descends from {above}: restore that one")
    restored = {build_id: replace(build, revoked=None)}
    for child in _descendants(builds, build_id):
        if child.revoked is not None and child.revoked.inherited == build_id:
            between = _revoked_ancestor({**builds, **restored}, child)
            kept = None
            if between is not None and between.revoked is not None:
                kept = Revocation(word=between.revoked.word, inherited=between.id)
            restored[child.id] = replace(child, revoked=kept)
    free = {one: build.revoked.word for one, after in restored.items() if after.revoked is None}
    pointers = [
        readmit(
            _after(shelf, restored),
            {one.number: why for one, why in free.items() if one.image == shelf.image},
            word,
        )
        for shelf in shelves
    ]
    return Changes(
        builds=tuple(restored.values()), pointers=tuple(one for one in pointers if one is not None)
    )


def _known(builds: Mapping[BuildId, Build], build_id: BuildId) -> Build:
    build = builds.get(build_id)
    if build is None:
        raise MoveRefusedError(f"there is no build {build_id}")
    return build


def _descendants(builds: Mapping[BuildId, Build], build_id: BuildId) -> Iterator[Build]:
    """Yield what was made from a build, parents first; a record that names itself ends nothing."""
    children: defaultdict[BuildId, list[Build]] = defaultdict(list)
    for build in builds.values():
        for above in _made_from(build):
            children[above].append(build)
    seen, todo = {build_id}, [build_id]
    while todo:
        for child in children[todo.pop(0)]:
            if child.id not in seen:
                seen.add(child.id)
                todo.append(child.id)
                yield child


def _revoked_ancestor(builds: Mapping[BuildId, Build], build: Build) -> Build | None:
    """Return the nearest ancestor that was itself revoked, or None."""
    seen, todo = {build.id}, [*_made_from(build)]
    while todo:
        above = builds.get(todo.pop(0))
        if above is None or above.id in seen:
            continue
        if above.revoked is not None and above.revoked.inherited is None:
            return above
        seen.add(above.id)
        todo += _made_from(above)
    return None


def _made_from(build: Build) -> tuple[BuildId, ...]:
    """Return what a build was made from: those between may have no record any more."""
    some = dict.fromkeys((build.parent, build.foundation))
    return tuple(one for one in some if one is not None)


def _after(shelf: Shelf, changed: Mapping[BuildId, Build]) -> Shelf:
    ours = {one.number: build for one, build in changed.items() if one.image == shelf.image}
    return replace(shelf, builds={**shelf.builds, **ours})
