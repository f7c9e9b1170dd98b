"""How the cost of a piece of work grows with its input, in CPU time of this thread only.

Never how long it takes: machines differ, and others work beside us. What is linear takes four
times as long for four times as much; what is quadratic, sixteen times.
"""

import time
from collections.abc import Callable
from typing import Final

#: Between linear (4) and quadratic (16), for four times as much.
RATIO_MAX: Final = 9.0
#: Small times are noise of clocks and caches; quadratic work of these sizes is far beyond.
NOISE_S: Final = 0.02
#: From small to large, so that what is worse than quadratic is seen before it takes for ever.
SIZES: Final = (256, 1024, 4096, 16_384, 65_536)
_TRIES: Final = 3
_STEPS: Final = 2


def excess(work: Callable[[str], object], seed: str, *, sizes: tuple[int, ...] = SIZES) -> str:
    """Return how *work* grows more than in proportion, or an empty string.

    Args:
        work: What is to be measured.
        seed: Repeated up to each size.
        sizes: Of the inputs, each four times the one before.
    """
    took_s: list[float] = []
    for at, size in enumerate(sizes):
        # The better of two: what disturbs one of them must not hide how the cost grows.
        took_s.append(_best_s(work, seed, size, 2))
        # Against both sizes before: what is disturbed all the time hides one step, but not two.
        for back in range(max(0, at - _STEPS), at):
            most = RATIO_MAX ** (at - back)
            if took_s[at] > NOISE_S + most * took_s[back]:
                # Once more, and the best of several: something else may have been in the way.
                before_s = _best_s(work, seed, sizes[back], _TRIES)
                after_s = _best_s(work, seed, size, _TRIES)
                if after_s > NOISE_S + most * before_s:
                    grown = f"{before_s:.4f} s for {sizes[back]}, {after_s:.4f} s for {size}"
                    return f"{seed[:40]!r}: {grown}"
    return ""


def _best_s(work: Callable[[str], object], seed: str, size: int, tries: int) -> float:
    text = (seed * (size // len(seed) + 1))[:size]
    return min(_cpu_s(work, text) for _ in range(tries))


def _cpu_s(work: Callable[[str], object], text: str) -> float:
    begun_s = time.thread_time()
    work(text)
    return time.thread_time() - begun_s
