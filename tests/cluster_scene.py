"""A long scene of test.py --cluster: machines die and join, and the driver is killed.

    python -m tests.cluster_scene --pictures=300

plays three machines with one core each by processes of this one. One process makes all
results first. Then the cluster makes them: two machines are killed at random moments,
one joins, the driver is killed with SIGKILL and started again. In the end the files
must be the same to the byte. It is no test of the suite, since it takes minutes.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from console.ray_engine import ENVIRONMENT
from tests.forked import ROOT
from tests.kinds_of_pictures import KINDS
from tests.pictures import write_pictures

MEMORY = {"object_store_memory": 80 * 1024**2}
BAD = 10


def write_all(folder, count, draw):
    """Pictures of all kinds, and some that cannot be read."""
    folder.mkdir(parents=True)
    kinds = list(KINDS)
    for index in range(count - BAD):
        place = folder / f"{index % 7}"
        place.mkdir(exist_ok=True)
        if index % 2:
            name = kinds[index // 2 % len(kinds)]
            KINDS[name].write(place / f"{index} {name}")
        else:
            side = draw.randint(60, 200)
            write_pictures(place / f"{index}", [(side, side + 9)], index)
    for index in range(BAD):
        (folder / f"bad {index}.png").write_bytes(b"no picture")
    return folder


def find(folder):
    """The visible files of a folder."""
    found = (path for path in folder.rglob("[!.]*") if path.is_file())
    return [path for path in found if ".made" not in path.parts]


def read(folder):
    """The visible files of a folder, by their names."""
    return {path.relative_to(folder): path.read_bytes() for path in find(folder)}


def count(folder):
    return len(find(folder)) if folder.exists() else 0


def wait_until(folder, number, driver):
    """Waits until a folder has so many results, or the driver has ended."""
    while driver.poll() is None and count(folder) < number:
        time.sleep(0.1)


def tell(start, text):
    print(f"{time.monotonic() - start:6.1f} s  {text}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", default="eusr")
    chosen = parser.parse_args()
    os.environ.update(ENVIRONMENT)
    from ray.cluster_utils import Cluster

    draw, start = random.Random(chosen.seed), time.monotonic()
    work = Path(tempfile.mkdtemp())
    folder = write_all(work / "in", chosen.pictures, draw)
    command = [sys.executable, "test.py", f"--model={chosen.model}", "--scale=2"]
    command += [f"--input_path={folder}"]

    def run(output, *flags):
        log = open(work / f"{output}.log", "a")  # noqa: SIM115 - the process has it
        words = [*command, f"--output_path={work / output}", *flags]
        return subprocess.Popen(words, cwd=ROOT, stdout=log, stderr=log)

    status = run("alone").wait()
    tell(start, f"one process: {count(work / 'alone')} files, status {status}")
    head = {"num_cpus": 0, "include_dashboard": False, **MEMORY}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    nodes = [cluster.add_node(num_cpus=1, **MEMORY) for _ in range(3)]
    shared, flags = (
        work / "shared",
        (f"--cluster={cluster.address}", "--cluster_cpus=1"),
    )
    driver = run("shared", *flags)
    moments = sorted(draw.sample(range(5, chosen.pictures * 2 // 3), 4))
    for moment, act in zip(moments, ("kill", "join", "kill", "driver"), strict=True):
        wait_until(shared, moment, driver)
        made = count(shared)
        if act == "kill":
            cluster.remove_node(nodes.pop(0), allow_graceful=False)
            tell(start, f"after {made} files: a machine is killed")
        elif act == "join":
            nodes.append(cluster.add_node(num_cpus=1, **MEMORY))
            tell(start, f"after {made} files: a machine joins")
        else:
            driver.send_signal(signal.SIGKILL)
            driver.wait()
            tell(start, f"after {made} files: the driver is killed")
    driver = run("shared", *flags)
    status = driver.wait()
    tell(start, f"started again: {count(shared)} files, status {status}")
    one, other = read(work / "alone"), read(shared)
    parts = [path.name for path in shared.rglob("*.part*")]
    tell(start, f"same files to the byte: {one == other}; partial files: {len(parts)}")
    again = subprocess.run(
        [*command, f"--output_path={shared}"], cwd=ROOT, capture_output=True, text=True
    )
    kept = [line for line in again.stdout.splitlines() if line.startswith("Kept")]
    tell(start, f"once more, alone: {kept}")
    log = (work / "shared.log").read_text().splitlines()
    for line in log:
        if " -> " not in line:
            print("        ", line)
    made = [line.partition(" -> ")[2] for line in log if " -> " in line]
    tell(start, f"lines of results: {len(made)}, of different ones: {len(set(made))}")
    cluster.shutdown()
    shutil.rmtree(work)
    sys.exit(one != other or not kept)


if __name__ == "__main__":
    main()
