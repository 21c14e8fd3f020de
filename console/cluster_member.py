"""A process of a cluster: it reads the flags as the script does, and takes batches."""

import contextlib
import hashlib
import importlib.metadata
import importlib.util
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from console import quiet
from console.choices import Choice, make_parser
from console.cluster_messages import Answer, Greeting, Plan, Share, StoppedError
from console.errors import InputError
from console.progress import lines_caught

ROOT = Path(__file__).resolve().parents[1]


class Member:
    """A process on a machine of the cluster, which Ray makes an actor."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.worker: Any = None
        self.is_stopped = threading.Event()

    def start(self, amount: int, resource: str, first: set[str]) -> Greeting:
        """Opens what the flags name.

        Args:
            amount: Cores or GPUs of a process.
            resource: `CPU` or `GPU`.
            first: The machines that were there when the run began.
        """
        name = socket.gethostname()
        share, is_late = find_place(amount, resource, first)
        greeting = Greeting(name, self._find_refusal(name), is_late)
        if greeting.refusal is not None:
            return greeting
        with lines_caught() as greeting.lines:
            try:
                self.worker = _make_worker(self.plan, Share(share, name))
            except InputError as error:
                greeting.refusal = str(error)
                return greeting
        if self.worker.way != self.plan.way:
            greeting.refusal = (
                f"--cluster: {name} would work by {self.worker.way} instead of "
                f"{self.plan.way}; the weights must be the same on all machines."
            )
        greeting.note = self.worker.note
        return greeting

    def _find_refusal(self, name):
        """Says why this machine cannot take part; None if it can."""
        versions, told = find_versions()
        if versions != self.plan.versions:
            return (
                f"--cluster: {name} has {told}, but the command was given where there "
                f"is {self.plan.told}. Install the same on all machines."
            )
        for path in (self.plan.folder, *self.plan.seen):
            if not os.path.lexists(path):
                return (
                    f"--cluster: {name} does not see {path}; all machines must see the "
                    "same folders, under the same paths."
                )
        return None

    def take(self, batch: list[Any]) -> Answer:
        """Does a batch."""
        with lines_caught() as lines:
            try:
                return Answer(self.worker.take(batch, self._check), None, lines)
            except (InputError, MemoryError, OSError, StoppedError) as error:
                return Answer(None, error, lines)

    def stop(self) -> None:
        """Lets `take` end soon."""
        self.is_stopped.set()

    def _check(self):
        if self.is_stopped.is_set():
            raise StoppedError


def find_place(amount: int, resource: str, first: set[str]) -> tuple[float, bool]:
    """Returns this process' share of its machine, and whether that joined late."""
    import ray

    node_id = ray.get_runtime_context().get_node_id()
    nodes = {node["NodeID"]: node["Resources"] for node in ray.nodes()}
    share = min(1.0, amount / nodes[node_id].get(resource, amount))
    return share, node_id not in first


def _make_worker(plan: Plan, share: Share) -> Any:
    """Reads the command line as the script does, and calls its function."""
    os.chdir(plan.folder)
    sys.argv = list(plan.argv)
    sys.path.insert(0, str(ROOT))
    quiet.set_up()
    spec = importlib.util.spec_from_file_location("the_script", plan.script)
    module = importlib.util.module_from_spec(spec)
    sys.modules["the_script"] = module
    spec.loader.exec_module(module)
    choices = [each for each in vars(module).values() if isinstance(each, Choice)]
    make_parser(module.SETTINGS, choices)(plan.argv)
    return getattr(module, plan.maker)(share)


def find_versions() -> tuple[tuple[str, ...], str]:
    """Returns what must be equal on all machines, and a text that tells it.

    It is a digest of the sources, and TensorFlow's version.
    """
    digest = hashlib.sha256()
    for path in sorted((*ROOT.glob("*.py"), *ROOT.glob("[a-z]*/*.py"))):
        name = path.relative_to(ROOT)
        if name.parts[0] not in ("tests", "benchmarks"):
            digest.update(name.as_posix().encode() + path.read_bytes())
    sources, commit = digest.hexdigest()[:12], "without git"
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        command = ["git", "-C", str(ROOT), "rev-parse", "--short=12", "HEAD"]
        done = subprocess.check_output(command, text=True, stderr=subprocess.DEVNULL)
        commit = f"at commit {done.strip()}"
    version = importlib.metadata.version("tensorflow")
    told = f"the repository {commit}, sources {sources}, and TensorFlow {version}"
    return (sources, version), told
