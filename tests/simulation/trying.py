"""What becomes of a build that is tried on a part of the requests, by the real judgement."""

from remuda.images import moves
from remuda.images.canary import CanaryPlan, Verdict, judge
from remuda.images.moves import Shelf
from remuda.model.image import Word
from remuda.model.pointer import Pointer
from remuda.model.tally import Tally


def goes_on(shelf: Shelf, plan: CanaryPlan, tally: Tally, word: Word) -> Pointer | None:
    """Return the pointer with a newer build tried, judged or let go; None: it stays as it is."""
    pointer = shelf.pointed()
    if pointer.canary is None:
        return moves.try_out(shelf, plan.share, tally, now_s=word.at_s)
    if shelf.why_not(pointer.canary.number) is not None:
        return moves.let_go(shelf, word)
    match judge(plan, pointer, pointer.canary, tally, now_s=word.at_s).verdict:
        case Verdict.BAD:
            return moves.withdraw(shelf, word)
        case Verdict.GOOD:
            return moves.promote(shelf, pointer.canary.number, word)
        case Verdict.OPEN:
            return None
