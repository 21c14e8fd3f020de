"""Processes that Ray places on the machines of a cluster."""

import contextlib
import inspect
import logging
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from console import quiet
from console.cluster import Crew
from console.cluster_member import ROOT, Member, find_versions
from console.cluster_messages import Plan, Share, Worker
from console.errors import InputError, first_line
from console.made import PARTS
from console.spread import AUTO, LOCAL, SpreadSettings

# Cores of a process, unless a flag says.
CORES = 4
# Bytes of shared memory of a local cluster; only small rows pass through it.
OBJECTS = 80 * 1024**2
SECONDS_TO_STOP, SECONDS_TO_CONNECT = 20.0, 5.0
# Where Ray notes the address of the cluster that this machine belongs to.
CURRENT = Path("/tmp/ray/ray_current_cluster")
# Variables that tell libraries how many threads to start.
THREADS = (
    *("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"),
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"),
)
# Set before Ray is imported. Nothing is reported to Ray's makers, and Ray's own lines
# about a lost machine are left out, for ours tell it.
ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS": "1",
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",
    "RAY_SCHEDULER_EVENTS": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


class RayEngine:
    """Places processes on the machines of a cluster."""

    def __init__(self, spread: SpreadSettings, plan: Plan, uses_gpu: bool) -> None:
        """Joins or starts the cluster.

        Raises:
            InputError: Ray is missing, there is no such cluster, or no machine has the
                resources.
        """
        self.ray = _join(spread)
        self.plan = plan
        nodes = [node for node in self.ray.nodes() if node["Alive"]]
        self.first = {node["NodeID"] for node in nodes}
        self.resource = "GPU" if uses_gpu else "CPU"
        most = {
            name: max(int(node["Resources"].get(name, 0)) for node in nodes)
            for name in ("CPU", "GPU")
        }
        if not most[self.resource]:
            raise InputError(f"--cluster: no machine of it has a {self.resource}.")
        counts = [int(node["Resources"].get("CPU", 0)) for node in nodes]
        cpus = 1 if uses_gpu else min(CORES, *filter(None, counts), most["CPU"])
        cpus = spread.cluster_cpus or cpus
        if cpus > most["CPU"]:
            raise InputError(
                f"--cluster_cpus={cpus}: the largest machine of the cluster has "
                f"{most['CPU']} cores."
            )
        self.amount = 1 if uses_gpu else cpus
        paths = (str(ROOT), os.environ.get("PYTHONPATH"))
        threads = {name: str(cpus) for name in THREADS}
        environment = {"PYTHONPATH": os.pathsep.join(filter(None, paths)), **threads}
        make_actor = self.ray.remote(
            num_cpus=cpus,
            num_gpus=int(uses_gpu),
            max_restarts=0,
            runtime_env={"env_vars": {**environment, **ENVIRONMENT}},
            concurrency_groups={"control": 1},
        )
        self.actor = make_actor(Member)

    def count_free(self) -> int:
        """Counts the processes that the free resources allow."""
        free = self.ray.available_resources().get(self.resource, 0)
        return int(free // self.amount)

    def add(self) -> tuple[Any, Any]:
        """Asks for a process; returns it, and the future of its `Greeting`."""
        handle = self.actor.remote(self.plan)
        return handle, handle.start.remote(self.amount, self.resource, self.first)

    def send(self, handle: Any, batch: list[Any]) -> Any:
        """Gives a process a batch; returns the future of its `Answer`."""
        return handle.take.remote(batch)

    def wait(self, futures: list[Any], seconds: float) -> list[Any]:
        """Waits until one of the futures is ready; returns all that are."""
        return self.ray.wait(futures, num_returns=1, timeout=seconds)[0]

    def get(self, future: Any) -> Any:
        """Returns what a future holds; None if its process died."""
        errors = self.ray.exceptions
        died = errors.RayActorError, errors.WorkerCrashedError, errors.ObjectLostError
        try:
            return self.ray.get(future)
        except died:
            return None

    def drop(self, handle: Any) -> None:
        """Ends a process that no longer answers."""
        self.ray.kill(handle)

    def close(self, handles: list[Any], futures: list[Any]) -> None:
        """Lets processes end their current pieces of work, then ends all of them."""
        try:
            for handle in handles:
                handle.stop.options(concurrency_group="control").remote()
            if futures:
                count = len(futures)
                self.ray.wait(futures, num_returns=count, timeout=SECONDS_TO_STOP)
        finally:
            self.ray.shutdown()


def _join(spread):
    """Imports Ray without its messages, and joins or starts a cluster."""
    os.environ.update(ENVIRONMENT)
    try:
        import ray
        import ray.exceptions
    except ImportError:
        raise InputError(
            f"--cluster={spread.cluster} needs Ray: python -m pip install -r "
            "requirements-cluster.txt"
        ) from None
    address = spread.cluster
    if address == AUTO:
        with contextlib.suppress(OSError):
            address = os.environ.get("RAY_ADDRESS") or CURRENT.read_text().strip()
    try:
        # Ray would try for minutes.
        if address not in (LOCAL, AUTO):
            host, _, port = address.rpartition(":")
            socket.create_connection((host, int(port)), SECONDS_TO_CONNECT).close()
    except (OSError, ValueError, OverflowError) as error:
        raise _explain_absence(spread, f"{address}: {error}") from None
    options: dict[str, Any] = {"address": spread.cluster}
    if spread.cluster == LOCAL:
        options |= {"include_dashboard": False, "object_store_memory": OBJECTS}
    # Ray sets its own.
    handler = signal.getsignal(signal.SIGTERM)
    try:
        with quiet.descriptor_caught():
            ray.init(log_to_driver=False, logging_level=logging.ERROR, **options)
    except (ConnectionError, ValueError, RuntimeError, TimeoutError) as error:
        raise _explain_absence(spread, first_line(error)) from None
    finally:
        signal.signal(signal.SIGTERM, handler)
    return ray


def _explain_absence(spread, reason):
    return InputError(
        f"--cluster={spread.cluster}: no cluster of Ray can be joined here ({reason}). "
        "ray start --head starts one, ray start --address=HOST:6379 lets other "
        "machines join, and --cluster=local needs neither."
    )


@contextlib.contextmanager
def working(
    spread: SpreadSettings,
    make_worker: Callable[[Share], Worker],
    seen: Iterable[Path | str],
    what: str,
    way: str = "",
    uses_gpu: bool = False,
    writes: Path | str | None = None,
) -> Iterator[Crew]:
    """Yields the processes of --cluster, and ends them after the block.

    Args:
        spread: Names the cluster.
        make_worker: A function of the script; a process calls it with the flags read.
        seen: Paths that all machines must see.
        what: Name of the work, for the progress.
        way: See `console.cluster_messages.Worker`.
        uses_gpu: Whether each process has a GPU.
        writes: Folder that all machines write to; None if they write nothing.
    """
    script = os.path.abspath(inspect.getfile(make_worker))
    maker, versions = make_worker.__name__, find_versions()
    with contextlib.ExitStack() as stack:
        if writes is not None:
            seen = [*seen, stack.enter_context(_token_in(Path(writes) / PARTS))]
        paths, argv = tuple(map(os.path.abspath, seen)), (script, *sys.argv[1:])
        plan = Plan(script, maker, argv, os.getcwd(), paths, way, *versions)
        crew = Crew(RayEngine(spread, plan, uses_gpu), what)
        stack.callback(crew.close)
        yield crew


@contextlib.contextmanager
def _token_in(folder):
    """Yields a file by which machines know a folder that may have namesakes."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, prefix="run-") as token:
        yield token.name
