"""What the machine has."""

import contextlib
from pathlib import Path

_MEMORY, _STATUS = Path("/proc/meminfo"), Path("/proc/self/status")
# Of a container, where it may be less than the machine's.
_CONTAINER = Path("/sys/fs/cgroup")


def free_memory():
    """Bytes of memory that can be had without swapping; None where nothing says it."""
    machines = _read_kilobytes(_MEMORY, "MemAvailable")
    known = [free for free in (machines, _free_in_container()) if free is not None]
    return min(known, default=None)


def _free_in_container():
    """What a container may still take; None where there is no limit."""
    with contextlib.suppress(OSError, ValueError):  # `max` is no number.
        most, used = (
            int((_CONTAINER / name).read_text())
            for name in ("memory.max", "memory.current")
        )
        # Files that are kept in memory give way.
        lines = (_CONTAINER / "memory.stat").read_text().splitlines()
        stat = dict(line.split() for line in lines)
        return max(0, most - used + int(stat["inactive_file"]))
    return None


def used_memory():
    """Bytes of memory that this process has now; None where nothing says it."""
    return _read_kilobytes(_STATUS, "VmRSS")


def peak_memory():
    """Bytes of memory that this process had at most; None where nothing says it."""
    # Not the resource module's: there a new process inherits its parent's peak.
    return _read_kilobytes(_STATUS, "VmHWM")


def _read_kilobytes(file, name):
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return None
    values = dict(line.split(":", 1) for line in lines)
    return int(values[name].split()[0]) * 1024
