"""When a pointer moves by itself: away from what is revoked, off a pin that is over, and on."""

from dataclasses import replace

from builder.decide.actions import BuilderPlan, MovePointer, RaiseAlarm
from builder.decide.policy import ImagePolicy
from builder.decide.world import BuilderWorld, ProviderFacts
from remuda.images import moves
from remuda.images.moves import MoveRefusedError, Shelf
from remuda.model.image import UploadId, Word
from remuda.model.pointer import Pointer
from remuda.model.upload import UploadState


def step(world: BuilderWorld, policy: ImagePolicy, facts: ProviderFacts, plan: BuilderPlan) -> None:
    """Add the next move of one pointer, or say why it waits."""
    shelf = world.shelf(policy.image, facts)
    name = f"pointer of {policy.image} in {facts.name}"
    if not world.mine(name) or name in world.busy:
        return
    pointer = _away(world, shelf)
    if pointer is None and shelf.pointer is not None and shelf.pointer.pinned is not None:
        ends_s = shelf.pointer.pinned.until_s
        if ends_s is not None and world.now_s >= ends_s and shelf.pointer.place == facts.place:
            pointer = moves.unpin(shelf, _word(world, "its time is over"))
        elif ends_s is not None:
            plan.wake(ends_s)
    if pointer is None:
        pointer = _on(world, policy, shelf, name, plan)
    if pointer is not None:
        _say_unpinned(shelf, pointer, plan)
        plan.do(MovePointer(image=policy.image, provider=facts.name, after=pointer))


def _say_unpinned(shelf: Shelf, after: Pointer, plan: BuilderPlan) -> None:
    """Tell people that a pin of theirs goes, because its build is not where images lie now."""
    before = shelf.pointer
    if before is None or before.pinned is None or before.place == after.place:
        return
    text = (
        f"{shelf.provider} is not pinned to build {before.pinned.number} any more: "
        "its images lie in another place"
    )
    plan.do(RaiseAlarm(image=shelf.image, text=text))


def _away(world: BuilderWorld, shelf: Shelf) -> Pointer | None:
    """Return the pointer without what was revoked after somebody pointed at it."""
    pointer = shelf.pointer
    if pointer is None or pointer.place != shelf.place:
        return None
    try:
        after = moves.without(shelf, _word(world, "it was revoked"), force=False)
    except MoveRefusedError:
        # Whoever revoked it has been asked; what is revoked is not booted.
        if pointer.current in pointer.withdrawn:
            return None
        after = moves.without(shelf, _word(world, "it was revoked"), force=True)
        return None if after is None else _in_whose_name(shelf, after)
    return after


def _in_whose_name(shelf: Shelf, after: Pointer) -> Pointer:
    """Return the pointer with its build withdrawn by who revoked it.

    Whoever restores the build gives back what was withdrawn in the same words.
    """
    revoked = shelf.builds[after.current].revoked
    assert revoked is not None  # noqa: S101 - or nothing would have had to be forced
    return replace(after, withdrawn={**after.withdrawn, after.current: revoked.word})


def _on(
    world: BuilderWorld, policy: ImagePolicy, shelf: Shelf, name: str, plan: BuilderPlan
) -> Pointer | None:
    """Return the pointer at the newest proven build, if it may move now."""
    after = moves.advance(shelf, now_s=world.now_s)
    if after is None:
        if shelf.pointer is None:
            plan.wait(name, "no build has passed its checks there yet")
        return None
    if shelf.pointer is None or not _serves(world, shelf.pointer):
        return after  # there is nothing that it could make worse
    paused = world.paused(policy.image)
    open_s = policy.window_s(world.now_s)
    if paused is not None:
        plan.wait(name, paused)
    elif not policy.auto:
        plan.wait(name, f"build {after.current} waits for somebody to promote it")
    elif open_s > world.now_s:
        plan.wait(name, f"build {after.current} waits for the roll-out window", open_s)
    else:
        return after
    return None


def _serves(world: BuilderWorld, pointer: Pointer) -> bool:
    """Whether launches can boot what a pointer names, be it in another place."""
    number = pointer.served(world.now_s)
    if number is None:
        return False
    upload = world.upload(UploadId(pointer.build(number), pointer.place))
    build = world.build(pointer.build(number))
    usable = upload is not None and upload.state is UploadState.USABLE
    return usable and build is not None and build.revoked is None


def _word(world: BuilderWorld, why: str) -> Word:
    return Word(who="remuda", why=why, at_s=world.now_s)
