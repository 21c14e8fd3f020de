"""One writer at a time."""

import signal
import subprocess
import sys
import threading
import time

import pytest

from console.errors import InputError
from console.locks import NAME, Lock
from tests.pictures import write_pictures
from tests.scored_data import write_tid2013
from tests.scripts import ROOT, fail_here, run_here, succeed_here
from tests.small import SMALL_FLAGS

HOLD = """
import sys, time
from console.locks import Lock
with Lock(sys.argv[1], "--train_path=x"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that writes to the folder `run`."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path / "run"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_a_lock_is_refused_to_another_and_goes_with_its_process(tmp_path, holder):
    folder = tmp_path / "run"
    expected = f"--train_path=x is in use by process {holder.pid} on "
    with pytest.raises(InputError, match=expected), Lock(folder, "--train_path=x"):
        pass
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with Lock(folder, "--train_path=x"):
        assert (folder / NAME).exists()
    # The folder is another's, so it stays.
    assert list(folder.iterdir()) == []


def test_a_folder_that_was_made_for_nothing_is_removed(tmp_path):
    with Lock(tmp_path / "new", "--a=new") as lock:
        (tmp_path / "new").rename(tmp_path / "old")
        (tmp_path / "new").mkdir()
        lock.follow(tmp_path / "old")
        assert list((tmp_path / "old").iterdir()) == []
    assert [path.name for path in tmp_path.iterdir()] == ["old"]


def test_of_many_at_once_there_is_never_more_than_one(tmp_path):
    holding, most, held = 0, 0, 0

    def hold():
        nonlocal holding, most, held
        for _ in range(200):
            try:
                with Lock(tmp_path / "run", "--a"):
                    holding += 1
                    time.sleep(1e-4)  # For another to come in, if it could.
                    most, held = max(most, holding), held + 1
                    holding -= 1
            except InputError:
                pass

    threads = [threading.Thread(target=hold) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # How often depends on the load; once would show nothing.
    assert most == 1 and held >= 4


def test_two_trainings_in_one_folder_are_refused_with_a_line(tmp_path, holder):
    folder = tmp_path / "run"
    write_pictures(tmp_path / "HR", [(40, 52), (44, 40)])
    flags = (
        *(f"--data_truth_path={tmp_path / 'HR'}", f"--cache_path={tmp_path / 'c'}"),
        *(f"--train_path={folder}", "--scales=2", "--max_steps=1", *SMALL_FLAGS),
        *("--batch_size=2", "--input_patch_size=8"),
    )
    line = fail_here("train.py", *flags)
    assert f"--train_path={folder} is in use by process" in line
    assert "Wait for it, stop it, or give another path." in line
    assert [path.name for path in folder.iterdir()] == [NAME]
    holder.kill()
    holder.wait()
    assert "Saved" in succeed_here("train.py", *flags)
    assert not (folder / NAME).exists()
    # A new run beside the old one has the lock, too.
    assert "Renamed the previous run" in succeed_here("train.py", *flags, "--restart")
    assert not list(tmp_path.glob(f"run*/{NAME}"))


def test_two_predictors_of_one_name_are_refused_with_a_line(tmp_path):
    write_tid2013(tmp_path / "TID2013")
    flags = (
        *("--dataloader=tid2013", f"--train_path={tmp_path}", "--epochs=1"),
        f"--tid2013_image_path={tmp_path / 'TID2013' / 'distorted_images'}",
        *("--weight_filename=a.h5", "--mobilenetv2_weights=none"),
    )
    with Lock(tmp_path, "--weight_filename=a.h5", ".a.lock"):
        done = run_here("score_predictors/train.py", *flags)
    assert done.returncode == 1
    assert "--weight_filename=a.h5 is in use by process" in done.stderr
