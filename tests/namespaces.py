"""Trains across two network namespaces whose link is cut; needs root, ip and tc.

    python -m tests.namespaces

Two namespaces have an address each and a link between them, as two machines have. Two
workers train 200 steps: undisturbed; with delay and loss on the link; with the link cut
for 10 and for 90 seconds. What each worker says is printed. Where workers end with an
error, the same command is given again, and in the end all weights must be those of the
undisturbed training, to the bit. It is no test of the suite: it takes minutes.
"""

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from console import quiet
from tests.forked import ROOT
from tests.pictures import write_pictures

with quiet.imports():
    from tests.small import SMALL_FLAGS

NAMES = ("eusr_a", "eusr_b")
ADDRESSES = ("10.77.0.1", "10.77.0.2")
STEPS, CUT_AT = 200, 60
STARTS = 3  # Of a disturbed training, at most.


def do(*words):
    subprocess.run(words, check=True)


def inside(name, *words):
    return ("ip", "netns", "exec", name, *words)


@contextlib.contextmanager
def linked():
    """Two namespaces with a link between them."""
    remove()  # Those of a killed run.
    try:
        for name in NAMES:
            do("ip", "netns", "add", name)
        pair = [f"{name}_0" for name in NAMES]
        do("ip", "link", "add", pair[0], "type", "veth", "peer", "name", pair[1])
        for name, end, address in zip(NAMES, pair, ADDRESSES, strict=True):
            do("ip", "link", "set", end, "netns", name)
            do(*inside(name, "ip", "addr", "add", f"{address}/24", "dev", end))
            do(*inside(name, "ip", "link", "set", end, "up"))
            do(*inside(name, "ip", "link", "set", "lo", "up"))
        yield
    finally:
        remove()


def remove():
    for name in NAMES:
        subprocess.run(["ip", "netns", "delete", name], stderr=subprocess.DEVNULL)


def set_link(state):
    do(*inside(NAMES[0], "ip", "link", "set", f"{NAMES[0]}_0", state))


def disturb(*netem):
    """Delays and drops packets of both directions; without words, no longer."""
    for name in NAMES:
        device = ("dev", f"{name}_0", "root")
        words = ("add", *device, "netem", *netem) if netem else ("delete", *device)
        if subprocess.run(inside(name, "tc", "qdisc", *words)).returncode:
            print("  this kernel has no netem: the link is left as it is")
            return


class Worker(threading.Thread):
    """One worker of a training, and what it says, with the time of each line."""

    def __init__(self, index, command, port):
        super().__init__()
        workers = [f"{address}:{port}" for address in ADDRESSES]
        task = {"type": "worker", "index": index}
        config = json.dumps({"cluster": {"worker": workers}, "task": task})
        environment = os.environ | {"TF_CONFIG": config}
        environment.pop("TF_CPP_MIN_LOG_LEVEL", None)  # This process' own choice.
        self.lines, self.begin = [], time.monotonic()
        self.process = subprocess.Popen(
            inside(NAMES[index], sys.executable, *command),
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.start()

    def run(self):
        for line in self.process.stdout:
            self.lines.append((time.monotonic() - self.begin, line.rstrip()))

    def has_said(self, text):
        return any(text in line for _, line in self.lines)


def train(folder, images, port, act):
    """Trains until all steps are done; returns how often it had to be started."""
    command = [
        *("train.py", f"--data_truth_path={images}", f"--train_path={folder}"),
        *(f"--cache_path={folder}.cache", f"--max_steps={STEPS}", "--save_freq=50"),
        *("--log_freq=20", "--batch_size=16", "--input_patch_size=24", "--scales=2"),
        *("--deterministic", *SMALL_FLAGS),
    ]
    for number in range(1, STARTS + 1):
        workers = [Worker(index, command, port + number) for index in (0, 1)]
        if number == 1:
            while not workers[0].has_said(f"step {CUT_AT}") and workers[0].is_alive():
                time.sleep(0.05)
            act()
        for worker in workers:
            worker.join()
        statuses = [worker.process.wait() for worker in workers]
        for name, worker, status in zip(NAMES, workers, statuses, strict=True):
            print(f"  start {number}, {name}: exit status {status}")
            for second, line in worker.lines[-4:]:
                print(f"    {second:5.1f} s  {line}")
        if statuses == [0, 0]:
            return number
    raise SystemExit(f"{folder}: not done after {STARTS} starts.")


def read_weights(folder):
    """All that the last checkpoint holds, as bytes, but for how often it was saved."""
    import tensorflow as tf

    reader = tf.train.load_checkpoint(str(folder / f"model.ckpt-{STEPS}"))
    names = reader.get_variable_to_shape_map()
    names = [n for n in names if "OBJECT_GRAPH" not in n and "save_counter" not in n]
    return {n: getattr(reader.get_tensor(n), "tobytes", bytes)() for n in sorted(names)}


def cut(seconds):
    print(f"  the link is cut for {seconds} s at step {CUT_AT}", flush=True)
    set_link("down")
    time.sleep(seconds)
    set_link("up")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", default="10,90", help="Of the cuts.")
    seconds = map(int, parser.parse_args().seconds.split(","))
    if os.geteuid() != 0 or not all(map(shutil.which, ("ip", "tc"))):
        raise SystemExit("Network namespaces need root, ip and tc.")
    work = Path(tempfile.mkdtemp())
    images = write_pictures(work / "HR", [(96, 96)] * 6)
    plays = {
        "undisturbed": lambda: None,
        **{f"cut for {n} s": lambda n=n: cut(n) for n in seconds},
        "delay 20ms, loss 2%": lambda: disturb("delay", "20ms", "loss", "2%"),
    }
    found = {}
    with linked():
        for index, (name, act) in enumerate(plays.items()):
            print(name, flush=True)
            start = time.monotonic()
            starts = train(work / f"run{index}", images, 2200 + 10 * index, act)
            found[name] = read_weights(work / f"run{index}")
            first = found["undisturbed"]
            differing = [n for n in first if first[n] != found[name].get(n)]
            same = not differing
            print(*(f"  differs: {n}" for n in differing), sep="\n", end="")
            seconds_taken = time.monotonic() - start
            print(
                f"  {starts} start(s), {seconds_taken:.0f} s; the weights of the "
                f"undisturbed training, to the bit: {same}",
                flush=True,
            )
    shutil.rmtree(work)
    sys.exit(any(each != found["undisturbed"] for each in found.values()))


if __name__ == "__main__":
    main()
