"""How everything here is measured: one thread, one process, turn by turn, CPU time, the median of the ratios."""

import statistics
import time
from collections.abc import Callable


def alternate(contenders: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Run the contenders in turn, and return the CPU seconds of each round.

    Taking turns in one process lets every contender meet the same disturbances; CPU time does not count what
    other processes take away. One round to warm up is not counted.

    Args:
        contenders: by name, each a call that does the work once.
        rounds: how often each is measured.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for round_ in range(rounds + 1):
        for name, run in contenders.items():
            start = time.process_time()
            run()
            if round_:
                seconds[name].append(time.process_time() - start)
    return seconds


def report(title: str, seconds: dict[str, list[float]], tokens: int, ours: str) -> dict[str, float]:
    """Print tokens per second of each contender, and how many times as fast ours is.

    Args:
        title: of the table.
        seconds: from `alternate`.
        tokens: that one run works on.
        ours: the contender that the others are compared with.

    Returns:
        The median over rounds of (their seconds / ours), by contender.
    """
    print(
        f"\n{title:44}{'tokens/s':>10}  ours is … times as fast"
        if len(title) < 44
        else f"\n{title}\n{'':44}{'tokens/s':>10}  ours is … times as fast"
    )
    ratios = {}
    for name, times in seconds.items():
        each = [theirs / mine for theirs, mine in zip(times, seconds[ours], strict=True)]
        ratios[name] = statistics.median(each)
        spread = "" if name == ours else f"{ratios[name]:.2f}  [{min(each):.2f} … {max(each):.2f}]"
        print(f"{name:44}{tokens / statistics.median(times):10,.0f}  {spread}")
    return ratios
