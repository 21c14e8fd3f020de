"""What the machine has."""

from pathlib import Path


def free_memory():
    """Bytes of memory that can be had without swapping; None where nothing says it."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    values = dict(line.split(":", 1) for line in lines)
    return int(values["MemAvailable"].split()[0]) * 1024
