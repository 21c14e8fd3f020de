"""The processor and the memory of the machine, and the memory of this process."""

import contextlib
from pathlib import Path

_PROCESSOR = Path("/proc/cpuinfo")
_MEMORY, _STATUS = Path("/proc/meminfo"), Path("/proc/self/status")
# Limits of a container, which may be below the machine's memory.
_CONTAINER = Path("/sys/fs/cgroup")


def cpu_flags() -> set[str]:
    """Returns the instruction sets of the processor; none if unknown."""
    try:
        lines = _PROCESSOR.read_text().splitlines()
    except OSError:
        return set()
    names = ("flags", "Features")  # The second is ARM's.
    values = [line.partition(":")[2] for line in lines if line.startswith(names)]
    return set(" ".join(values).split())


def free_memory() -> int | None:
    """Returns the bytes of memory available without swapping; None if unknown."""
    machines = _read_kilobytes(_MEMORY, "MemAvailable")
    known = [free for free in (machines, _free_in_container()) if free is not None]
    return min(known, default=None)


def _free_in_container():
    """Returns the bytes that a container may still take; None without a limit."""
    with contextlib.suppress(OSError, ValueError):  # `max` is not a number.
        most, used = (
            int((_CONTAINER / name).read_text())
            for name in ("memory.max", "memory.current")
        )
        # Cached files are dropped when memory is needed.
        lines = (_CONTAINER / "memory.stat").read_text().splitlines()
        stat = dict(line.split() for line in lines)
        return max(0, most - used + int(stat["inactive_file"]))
    return None


def used_memory() -> int | None:
    """Returns the bytes of memory that this process has now; None if unknown."""
    return _read_kilobytes(_STATUS, "VmRSS")


def peak_memory() -> int | None:
    """Returns the peak bytes of memory of this process; None if unknown."""
    # With the resource module, a new process inherits its parent's peak.
    return _read_kilobytes(_STATUS, "VmHWM")


def _read_kilobytes(file, name):
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return None
    values = dict(line.split(":", 1) for line in lines)
    return int(values[name].split()[0]) * 1024
