"""Times for ratios: one thing against another, never against the clock."""

import time


def shortest(function, runs=5):
    """Seconds of the shortest of some calls, the least disturbed one."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)
