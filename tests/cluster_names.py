"""The driver of test.py --cluster with a list of a million names.

    python -m tests.cluster_names --names=1000000

The names are links to one picture, and the processes do nothing, so only the driver and
Ray work. Printed are the seconds of each stage and the memory of the driver. It is no
test of the suite, since it takes minutes.
"""

import argparse
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path

from console.machine import used_memory
from console.spread import SpreadSettings
from tests.pictures import write_pictures
from upscaling import sharing
from upscaling.jobs import Jobs
from upscaling.output import Output
from upscaling.results import Results

SETTINGS = ()
WAY = "nothing"
SECONDS = 10


class Nothing:
    """Does nothing with batches of pictures."""

    way, note = WAY, "by nothing"

    def take(self, batch, done):
        return [False] * len(batch)


def make_worker(share):
    return Nothing()


def link_all(folder, count):
    """Links of many names to one picture, in one folder."""
    (source,) = write_pictures(folder.parent / "one", [(32, 32)]).iterdir()
    folder.mkdir()
    for index in range(count):
        (folder / f"{index:08}.png").symlink_to(source)
    return folder


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--names", type=int, default=1_000_000)
    count = parser.parse_args().names
    work = Path(tempfile.mkdtemp())
    folder, start = link_all(work / "in", count), time.monotonic()

    def tell(text):
        seconds, memory = time.monotonic() - start, used_memory() / 1e6
        own = f"{seconds:6.1f} s, {time.process_time():6.1f} s of processor"
        print(f"{own}, {memory:6.1f} MB: {text}", flush=True)

    tell(f"the driver begins, with {count} names")
    output = Output(str(work / "SR"))
    jobs = Jobs([folder], output, in_order=False)
    tell("names are checked")
    results = Results(output, WAY, jobs.is_taken)
    waiting = results.find_waiting(jobs)
    tell(f"{len(waiting)} results are to be made")
    sys.argv = sys.argv[:1]  # The processes have no such flag.

    def watch():
        while True:
            time.sleep(SECONDS)
            tell("working")

    threading.Thread(target=watch, daemon=True).start()
    begin = time.monotonic()
    sharing.enlarge(
        SpreadSettings(cluster="local"), make_worker, waiting, results, False
    )
    tell(f"done: {count / (time.monotonic() - begin):.0f} pictures a second")
    shutil.rmtree(work)


if __name__ == "__main__":
    main()
