"""How much memory test.py takes for a picture larger than that.

    python benchmarks/large_picture.py --scales=2 --megapixels=24
    python benchmarks/large_picture.py --scales=4 --megapixels=6.25

Makes a JPEG of so many pixels and a network with random weights, for which weights do
not matter, runs test.py in a process of its own, and prints the time that it took and
the memory that it had at most.
"""

import dataclasses
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1])

from console import app, quiet  # noqa: E402
from console.errors import InputError  # noqa: E402
from console.progress import say, to_clock, to_size  # noqa: E402
from console.settings import option  # noqa: E402

with quiet.imports():
    from benchmarks.network import make_model
    from benchmarks.settings import BenchmarkSettings
    from benchmarks.tiling import TEST, draw
    from frozen import graphs
    from frozen.upscaler_graph import make_network
    from imaging.files import to_uint8
    from imaging.pictures import Picture
    from imaging.saving import save_picture

# Height to width, as cameras have it.
ASPECT = 2 / 3


@dataclasses.dataclass(frozen=True)
class LargeSettings(BenchmarkSettings):
    """How large a picture is, and how much memory it may take."""

    megapixels: float = option(24.0, "Millions of pixels of the picture.", least=0.0)
    memory_limit: float = option(4.0, "See test.py.", least=1.0)


def main():
    """Runs test.py for each scale."""
    settings = LargeSettings.from_flags()
    height = int((settings.megapixels * 1e6 * ASPECT) ** 0.5)
    width = int(height / ASPECT)
    with tempfile.TemporaryDirectory() as folder:
        picture = Picture(to_uint8(draw(height, width)))
        save_picture(f"{folder}/picture.jpg", picture)
        network = make_network(make_model(settings, "float32"), settings.scales)
        graphs.save(network.graph_def, f"{folder}/model.pb")
        for scale in settings.scales:
            seconds, peak = upscale(folder, scale, settings.memory_limit)
            say(
                f"{width}x{height} at x{scale}: {height * width * scale**2 / 1e6:.1f} "
                f"megapixels in {to_clock(seconds)}, memory {to_size(peak)}"
            )


def upscale(folder, scale, memory_limit):
    """Runs test.py.

    Returns:
        (float, int): The seconds that it took, and the bytes.

    Raises:
        InputError: It failed.
    """
    command = [
        *(sys.executable, TEST, f"--model_name={folder}/model.pb", f"--scale={scale}"),
        *(f"--input_path={folder}/picture.jpg", f"--output_path={folder}/x{scale}"),
        f"--memory_limit={memory_limit}",
    ]
    start = time.monotonic()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise InputError(f"test.py ended with {process.returncode}.")
    return time.monotonic() - start, usage.ru_maxrss * 1024


if __name__ == "__main__":
    app.run(main, (LargeSettings,))
