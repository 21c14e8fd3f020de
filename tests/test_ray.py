"""A real cluster of Ray: machines that are played by processes of this one."""

import os
import threading
import time

import pytest

from console.ray_engine import ENVIRONMENT
from tests.kinds_of_pictures import KINDS
from tests.pictures import write_pictures
from tests.scripts import run_here


@pytest.fixture(scope="module")
def machines():
    """A cluster of a head, without cores, and two machines with one core each."""
    os.environ.update(ENVIRONMENT)  # Ray reads them when it is imported.
    pytest.importorskip("ray", reason="requirements-cluster.txt is not installed")
    from ray.cluster_utils import Cluster

    memory = {"object_store_memory": 80 * 1024**2}
    cluster = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 0, "include_dashboard": False, **memory},
    )
    nodes = [cluster.add_node(num_cpus=1, **memory) for _ in range(2)]
    yield cluster, nodes
    cluster.shutdown()


def read(folder):
    """The results in a folder, by their names."""
    return {path.name: path.read_bytes() for path in folder.glob("[!.]*")}


def test_two_machines_of_which_one_dies_make_what_one_process_makes(machines, tmp_path):
    cluster, (victim, _) = machines
    folder = write_pictures(tmp_path / "in", [(160, 150)] * 8)
    for name in list(KINDS)[:20]:
        KINDS[name].write(folder / name)
    for name in ("bad.png", "worse.jpg"):
        (folder / name).write_bytes(b"no picture")
    flags = "test.py", "--model=bicubic", f"--input_path={folder}", "--scale=2"
    flags += ("--tile_size=8",)
    alone = run_here(*flags, f"--output_path={tmp_path / 'alone'}")
    shared = (*flags, f"--output_path={tmp_path / 'shared'}")

    def kill():
        while not list((tmp_path / "shared").glob("*.*")):
            time.sleep(0.02)
        cluster.remove_node(victim, allow_graceful=False)

    killer = threading.Thread(target=kill)
    killer.start()
    done = run_here(*shared, f"--cluster={cluster.address}", "--cluster_cpus=1")
    killer.join()
    assert done.returncode == alone.returncode == 1
    assert "died; others take its images" in done.stderr
    # Nothing of Ray's.
    assert done.stderr.count("\n") == 3 and "raylet" not in done.stdout
    assert read(tmp_path / "shared") == read(tmp_path / "alone")
    for text in (done.stdout, alone.stdout):
        assert "Upscaled 28 of 30 pictures by 2.\nLeft out, for the reasons" in text
    assert sorted(done.stdout.splitlines()[-2:]) == alone.stdout.splitlines()[-2:]
    assert not list((tmp_path / "shared").glob(".*.part*"))
    # The same command has nothing left to do, with a cluster and without.
    again = run_here(*shared)
    assert "Kept 28 of 30 results" in again.stdout
