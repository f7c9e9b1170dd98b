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


def excess(work: Callable[[str], object], seed: str, *, sizes: tuple[int, ...] = SIZES) -> str:
    """Return how *work* grows more than in proportion, or an empty string.

    Args:
        work: What is to be measured.
        seed: Repeated up to each size.
        sizes: Of the inputs, each four times the one before.
    """
    before_s = None
    for size in sizes:
        text = (seed * (size // len(seed) + 1))[:size]
        # The better of two: what disturbs one of them must not hide how the cost grows.
        took_s = min(_cpu_s(work, text) for _ in range(2))
        if before_s is not None and took_s > NOISE_S + RATIO_MAX * before_s:
            # Once more, and the best of several: something else may have been in the way.
            before_s = min(_cpu_s(work, text[: size // 4]) for _ in range(_TRIES))
            took_s = min(_cpu_s(work, text) for _ in range(_TRIES))
            if took_s > NOISE_S + RATIO_MAX * before_s:
                return f"{seed[:40]!r}: {before_s:.4f} s for {size // 4}, {took_s:.4f} s for {size}"
        before_s = took_s
    return ""


def _cpu_s(work: Callable[[str], object], text: str) -> float:
    begun_s = time.thread_time()
    work(text)
    return time.thread_time() - begun_s
