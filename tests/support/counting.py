"""How often functions are called: a measure of work that no other load on the machine changes."""

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Final

_OURS: Final = str(Path(__file__).parents[2] / "remuda")


def calls(work: Callable[[], object]) -> Counter[str]:
    """Return how often each function of ``remuda/`` was called by *work*, on this thread."""
    counted: Counter[str] = Counter()

    def take(frame: FrameType, event: str, _argument: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(_OURS):
            counted[frame.f_code.co_name] += 1

    before = sys.getprofile()
    sys.setprofile(take)
    try:
        work()
    finally:
        sys.setprofile(before)
    return counted
