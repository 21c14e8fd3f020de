"""A real cluster of Ray: machines that are played by processes of this one."""

import os
import sys

import pytest
import tensorflow

from console import cluster_member
from console.cluster import Crew
from console.cluster_member import Member, find_versions
from console.cluster_messages import Plan
from console.ray_engine import ENVIRONMENT
from tests.kinds_of_pictures import KINDS
from tests.pictures import write_pictures
from tests.scripts import ROOT, fail_here, run_here


@pytest.fixture(scope="module")
def machines():
    """A cluster of two machines with one core each, and the second of them."""
    os.environ.update(ENVIRONMENT)  # Ray reads them when it is imported.
    pytest.importorskip("ray", reason="requirements-cluster.txt is not installed")
    from ray.cluster_utils import Cluster

    memory = {"object_store_memory": 80 * 1024**2}
    cluster = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 1, "include_dashboard": False, **memory},
    )
    yield cluster, cluster.add_node(num_cpus=1, **memory)
    cluster.shutdown()


def read(folder):
    """The results in a folder, by their names."""
    return {path.name: path.read_bytes() for path in folder.glob("[!.]*")}


@pytest.fixture
def killing(machines, monkeypatch):
    """Kills a machine once both have work and the first answer is there."""
    cluster, victim = machines
    nodes, assign, collect = [victim], Crew._assign, Crew._collect

    def wait_for_both(self, batches):
        return len(self.members) < 2 and bool(nodes) or assign(self, batches)

    def kill(self, future, name):
        if nodes:
            cluster.remove_node(nodes.pop(), allow_graceful=False)
        return collect(self, future, name)

    monkeypatch.setattr(Crew, "_assign", wait_for_both)
    monkeypatch.setattr(Crew, "_collect", kill)
    return cluster


def test_two_machines_of_which_one_dies_make_what_one_process_makes(killing, tmp_path):
    cluster = killing
    folder = write_pictures(tmp_path / "in", [(200, 190)] * 8)
    for name in list(KINDS)[:20]:
        KINDS[name].write(folder / name)
    for name in ("bad.png", "worse.jpg"):
        (folder / name).write_bytes(b"no picture")
    flags = "test.py", "--model=bicubic", f"--input_path={folder}", "--scale=2"
    flags += ("--tile_size=8",)
    alone = run_here(*flags, f"--output_path={tmp_path / 'alone'}")
    shared = (*flags, f"--output_path={tmp_path / 'shared'}")
    done = run_here(*shared, f"--cluster={cluster.address}", "--cluster_cpus=1")
    assert done.returncode == alone.returncode == 1
    assert "died; others take its images" in done.stderr
    # Nothing of Ray's.
    assert done.stderr.count("\n") == 3 and "raylet" not in done.stdout
    assert read(tmp_path / "shared") == read(tmp_path / "alone")
    for text in (done.stdout, alone.stdout):
        assert "Upscaled 28 of 30 pictures by 2.\n" in text
        assert "\nLeft out, for the reasons above:\n" in text
    assert sorted(done.stdout.splitlines()[-2:]) == alone.stdout.splitlines()[-2:]
    assert not list((tmp_path / "shared").glob(".*.part*"))
    # The same command has nothing left to do, with a cluster and without.
    again = run_here(*shared)
    assert "Kept 28 of 30 results" in again.stdout


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nowhere", "127.0.0.1:port"])
def test_a_cluster_that_is_not_there_is_told_in_one_line(tmp_path, address):
    pytest.importorskip("ray", reason="requirements-cluster.txt is not installed")
    folder = write_pictures(tmp_path / "in", [(20, 20)])
    flags = f"--input_path={folder}", f"--output_path={tmp_path}/SR", "--scale=2"
    line = fail_here("test.py", "--model=bicubic", *flags, f"--cluster={address}")
    assert f"--cluster={address}: no cluster of Ray can be joined here" in line


def test_where_ray_is_missing_a_line_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    folder = write_pictures(tmp_path / "in", [(20, 20)])
    flags = f"--input_path={folder}", f"--output_path={tmp_path}/SR", "--scale=2"
    line = fail_here("test.py", "--model=bicubic", *flags, "--cluster=local")
    assert "python -m pip install -r requirements-cluster.txt" in line


def make_plan(**changed):
    versions, told = find_versions()
    fields = {
        "script": str(ROOT / "test.py"),
        "maker": "make_worker",
        "argv": (),
        "folder": str(ROOT),
        "seen": (),
        "way": "",
        "versions": versions,
        "told": told,
    }
    return Plan(**fields | changed)


def test_another_version_is_refused_with_both(monkeypatch):
    plan = make_plan(
        versions=("0123", "2.20.0"), told="sources 0123, TensorFlow 2.20.0"
    )
    monkeypatch.setattr(cluster_member, "find_place", lambda *_: (1.0, False))
    refusal = Member(plan).start(1, "CPU", set()).refusal
    _, told = find_versions()
    assert told in refusal and "sources 0123, TensorFlow 2.20.0" in refusal
    assert f"TensorFlow {tensorflow.__version__}" in told and "sources" in told


def test_a_machine_that_does_not_see_a_folder_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(cluster_member, "find_place", lambda *_: (1.0, False))
    plan = make_plan(seen=(str(tmp_path / "none"),))
    refusal = Member(plan).start(1, "CPU", set()).refusal
    assert f"does not see {tmp_path / 'none'}; all machines must" in refusal
