"""What test.py --cluster=local costs beside one process, without their start.

    python -m tests.cluster_speed --pictures=200 --rounds=3

Enlarges pictures of 480x320 by one process, by one process of a cluster with all cores,
and by one process for each core, in turn. Printed are the seconds from the first
picture to the last, and the processor time of all. It is no test of the suite.
"""

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from console import quiet
from console.progress import lines_caught
from console.ray_engine import working
from console.spread import SpreadSettings
from tests.pictures import write_pictures
from upscaling import sharing
from upscaling.choosing import EnlargingSettings
from upscaling.jobs import Jobs
from upscaling.output import Output
from upscaling.results import Results
from upscaling.run import Run, count_pixels

with quiet.imports():
    from models.opening import open_model

SETTINGS = ()
SCALE = 2
OUTPUT = "EUSR_SPEED_OUTPUT"
CORES = os.cpu_count() or 1


class Timed:
    """Enlarges, and tells when it did and what it took of the processor."""

    def __init__(self, worker):
        self.worker, self.way, self.note = worker, worker.way, worker.note

    def take(self, batch, done):
        begin, used = time.time(), time.process_time()
        self.worker.take(batch, done)
        row = begin, time.time(), (time.process_time() - used) / len(batch)
        return [row] * len(batch)


def make_parts(share=None):
    output = Output(os.environ[OUTPUT])
    enlarging = EnlargingSettings(scale=SCALE)
    results = Results(output, "speed", lambda _: False, None, reads=False)
    enlargers = enlarging.make_enlargers(open_model("pretrained/eusr"))
    return results, enlargers, enlarging.make_tiler()


def make_worker(share):
    return Timed(sharing.Enlarging(*make_parts()))


def alone(jobs):
    run = Run(jobs, *make_parts())
    begin, used = time.time(), time.process_time()
    with lines_caught():
        run.take()
    return time.time() - begin, time.process_time() - used


def shared(jobs, cpus):
    results = make_parts()[0]
    spread = SpreadSettings(cluster="local", cluster_cpus=cpus)
    errands = (sharing.Errand(job, results.refuse_fallback(job)) for job in jobs)
    with lines_caught(), working(spread, make_worker, [], "Timing", "speed") as crew:
        used = time.process_time()
        rows = [
            row
            for _, row in crew.take(
                errands,
                len(jobs),
                lambda errand: count_pixels(errand.job),
                sharing.MOST,
                str,
            )
        ]
        used = time.process_time() - used
    begins, ends, costs = zip(*rows, strict=True)
    return max(ends) - min(begins), sum(costs) + used


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    sys.argv = sys.argv[:1]
    work = Path(tempfile.mkdtemp())
    folder = write_pictures(work / "in", [(320, 480)] * chosen.pictures)
    os.environ[OUTPUT] = str(work / "SR")
    jobs = list(Jobs([folder], Output(str(work / "SR"))))
    ways = {
        "one process": lambda: alone(jobs),
        f"--cluster=local --cluster_cpus={CORES}": lambda: shared(jobs, CORES),
        "--cluster=local --cluster_cpus=1": lambda: shared(jobs, 1),
    }
    measured = {way: [] for way in ways}
    for _ in range(chosen.rounds):
        for way, measure in ways.items():
            measured[way].append(measure())
            seconds, cost = measured[way][-1]
            print(f"{seconds:7.1f} s, {cost:7.1f} s of processor: {way}", flush=True)
            shutil.rmtree(work / "SR")
    first, *others = measured
    for other in others:
        for part, what in enumerate(("speed", "speed by processor time")):
            ratios = [
                one[part] / shared[part]
                for one, shared in zip(measured[first], measured[other], strict=True)
            ]
            print(f"{what} of {other}: {statistics.median(ratios):.2f} of {first}")
    shutil.rmtree(work)


if __name__ == "__main__":
    main()
