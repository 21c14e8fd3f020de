"""How long something takes."""

import time


def time_once(function):
    """Seconds of one call."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def time_best(function, repeats):
    """Seconds of the fastest of several calls, the least disturbed one."""
    return min(time_once(function) for _ in range(repeats))
