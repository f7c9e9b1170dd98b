"""When a pointer moves by itself: away from what is revoked, off a pin that is over, and on."""

from dataclasses import replace

from builder.actions import Plan
from builder.alarm.actions import RaiseAlarm
from builder.image import using
from builder.place.view import ProviderFacts
from builder.pointer.actions import DropPointer, MovePointer, pointer_name
from builder.policy import ImagePolicy
from builder.view import WorldView
from remuda.images import moves
from remuda.images.canary import CanaryPlan, Verdict, judge
from remuda.images.moves import MoveRefusedError, Shelf
from remuda.model.image import OURSELVES, UploadId, Word
from remuda.model.pointer import Canary, Pointer
from remuda.model.upload import UploadState


def step(view: WorldView, policy: ImagePolicy, facts: ProviderFacts, plan: Plan) -> None:
    """Add the next move of one pointer, or say why it waits."""
    shelf = view.shelf(policy.image, facts)
    name = pointer_name(policy.image, facts.name)
    if not view.mine(name) or name in view.busy:
        return
    if policy.ttl_s is not None and _left(view, policy, shelf, name, plan):
        return
    pointer = _away(view, shelf)
    if pointer is None and shelf.pointer is not None and shelf.pointer.pinned is not None:
        ends_s = shelf.pointer.pinned.until_s
        if ends_s is not None and view.now_s >= ends_s and shelf.pointer.place == facts.place:
            pointer = moves.unpin(shelf, _word(view, "its time is over"))
        elif ends_s is not None:
            plan.wake(ends_s)
    if pointer is None:
        pointer = _on(view, policy, shelf, name, plan)
    if pointer is not None:
        _say_unpinned(shelf, pointer, plan)
        plan.do(MovePointer(image=policy.image, provider=facts.name, after=pointer))


def _left(view: WorldView, policy: ImagePolicy, shelf: Shelf, name: str, plan: Plan) -> bool:
    """Whether nobody has used an image that is made on first use, so that its pointer goes.

    A pin is somebody's word that it stays.
    """
    goes_s, pointer = using.goes_s(view, policy), shelf.pointer
    if view.now_s < goes_s:
        if goes_s < float("inf"):
            plan.wake(goes_s)
        return False
    if pointer is not None and pointer.pin_at(view.now_s) is not None:
        return False
    paused = view.paused(policy.image)
    if pointer is None:
        plan.wait(name, "nobody uses it: it is made on first use")
    elif paused is not None:
        plan.wait(name, paused)
    elif any(_usable(shelf, number) for number in pointer.withdrawn):
        # The words go with the pointer, and another one would name it again.
        plan.wait(name, "what was withdrawn goes first")
    else:
        plan.do(DropPointer(image=policy.image, provider=shelf.provider))
    return True


def _usable(shelf: Shelf, number: int) -> bool:
    upload = shelf.uploads.get(number)
    return upload is not None and upload.state is UploadState.USABLE


def _say_unpinned(shelf: Shelf, after: Pointer, plan: Plan) -> None:
    """Tell people that a pin of theirs goes, because its build is not where images lie now."""
    before = shelf.pointer
    if before is None or before.pinned is None or before.place == after.place:
        return
    text = (
        f"{shelf.provider} is not pinned to build {before.pinned.number} any more: "
        "its images lie in another place"
    )
    plan.do(RaiseAlarm(image=shelf.image, text=text))


def _away(view: WorldView, shelf: Shelf) -> Pointer | None:
    """Return the pointer without what was taken away after somebody pointed at it."""
    pointer = shelf.pointer
    if pointer is None or pointer.place != shelf.place:
        return None
    try:
        after = moves.without(shelf, _word(view, "it was revoked"), force=False)
    except MoveRefusedError:
        # Whoever revoked it has been asked; what is revoked is not booted.
        if pointer.current in pointer.withdrawn:
            return None
        after = moves.without(shelf, _word(view, "it was revoked"), force=True)
        return None if after is None else _in_whose_name(shelf, after)
    gone = None if after is not None or pointer.canary is None else _outlived(shelf, pointer.canary)
    return after if gone is None else moves.let_go(shelf, _word(view, gone))


def _outlived(shelf: Shelf, canary: Canary) -> str | None:
    """Return why a canary is not to be tried any more, though nobody judged it, or None."""
    if canary.number <= shelf.pointed().current:
        return f"build {shelf.pointed().current} is current already"
    return shelf.why_not(canary.number)


def _in_whose_name(shelf: Shelf, after: Pointer) -> Pointer:
    """Return the pointer with its build withdrawn by who revoked it.

    Whoever restores the build gives back what was withdrawn in the same words.
    """
    revoked = shelf.builds[after.current].revoked
    assert revoked is not None  # noqa: S101 - or nothing would have had to be forced
    return replace(after, withdrawn={**after.withdrawn, after.current: revoked.word})


def _on(
    view: WorldView, policy: ImagePolicy, shelf: Shelf, name: str, plan: Plan
) -> Pointer | None:
    """Return the pointer at the newest proven build, if it may move now."""
    after = moves.advance(shelf, now_s=view.now_s)
    if after is None:
        if shelf.pointer is None:
            plan.wait(name, "no build has passed its checks there yet")
        return None
    if shelf.pointer is None or not _serves(view, shelf.pointer):
        return after  # there is nothing that it could make worse
    if policy.canary is None or shelf.pointer.place != shelf.place:
        return after if _may_move(view, policy, after.current, name, plan) else None
    return _try(view, policy, policy.canary, shelf, plan)


def _may_move(view: WorldView, policy: ImagePolicy, number: int, name: str, plan: Plan) -> bool:
    """Whether a build may be given to more requests now; if not, the plan says why."""
    paused = view.paused(policy.image)
    open_s = policy.window_s(view.now_s)
    if paused is not None:
        plan.wait(name, paused)
    elif not policy.auto:
        plan.wait(name, f"build {number} waits for somebody to promote it")
    elif open_s > view.now_s:
        plan.wait(name, f"build {number} waits for the roll-out window", open_s)
    else:
        return True
    return False


def _try(
    view: WorldView, policy: ImagePolicy, trying: CanaryPlan, shelf: Shelf, plan: Plan
) -> Pointer | None:
    """Return the pointer with a newer build on a part of the requests, or judged by them."""
    name, pointer = pointer_name(policy.image, shelf.provider), shelf.pointed()
    canary, tally = pointer.canary, view.library.tally(policy.image, shelf.provider)
    if canary is None:
        after = moves.try_out(shelf, trying.share, tally, now_s=view.now_s)
        number = None if after is None or after.canary is None else after.canary.number
        begins = number is not None and _may_move(view, policy, number, name, plan)
        return after if begins else None
    found = judge(trying, pointer, canary, tally, now_s=view.now_s)
    match found.verdict:
        case Verdict.BAD:
            return moves.withdraw(shelf, _word(view, found.why))
        case Verdict.GOOD if _may_move(view, policy, canary.number, name, plan):
            return moves.promote(shelf, canary.number, _word(view, found.why))
        case Verdict.OPEN:
            late_s = None if trying.after_s is None else canary.since_s + trying.after_s
            ends_s = None if late_s is None or late_s <= view.now_s else late_s
            plan.wait(name, f"build {canary.number} is tried: {found.why}", ends_s)
    return None


def _serves(view: WorldView, pointer: Pointer) -> bool:
    """Whether launches can boot what a pointer names, be it in another place."""
    number = pointer.served(view.now_s)
    if number is None:
        return False
    upload = view.upload(UploadId(pointer.build(number), pointer.place))
    build = view.build(pointer.build(number))
    usable = upload is not None and upload.state is UploadState.USABLE
    return usable and build is not None and build.revoked is None


def _word(view: WorldView, why: str) -> Word:
    return Word(who=OURSELVES, why=why, at_s=view.now_s)
