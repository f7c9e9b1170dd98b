"""When a pointer moves by itself: away from what is revoked, off a pin that is over, and on."""

from builder.decide.actions import BuilderPlan, MovePointer
from builder.decide.policy import ImagePolicy
from builder.decide.world import BuilderWorld, ProviderFacts
from remuda.images import moves
from remuda.images.moves import MoveRefusedError, Shelf
from remuda.model.image import Word
from remuda.model.pointer import Pointer


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
        plan.do(MovePointer(image=policy.image, provider=facts.name, after=pointer))


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
        return moves.without(shelf, _word(world, "it was revoked"), force=True)
    return after


def _on(
    world: BuilderWorld, policy: ImagePolicy, shelf: Shelf, name: str, plan: BuilderPlan
) -> Pointer | None:
    """Return the pointer at the newest proven build, if it may move now."""
    after = moves.advance(shelf, now_s=world.now_s)
    if after is None:
        if shelf.pointer is None:
            plan.wait(name, "no build has passed its checks there yet")
        return None
    if shelf.pointer is None or shelf.pointer.place != shelf.place:
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


def _word(world: BuilderWorld, why: str) -> Word:
    return Word(who="remuda", why=why, at_s=world.now_s)
