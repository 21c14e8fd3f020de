"""Kills, full disks, forbidden folders: nothing is half-written."""

import os
import signal
import time

import numpy as np
import pytest
from PIL import Image

from console.made import NAME
from console.prefetch import Prefetch
from imaging.files import load_image
from tests.forked import Script
from tests.pictures import write_pictures
from tests.scripts import ROOT, run_here, succeed_here
from tests.test_full_disk import on_disk
from upscaling.run import Writer

COUNT, SIDE = 12, 150


def flags(source, target):
    return (
        *("--model=bicubic", "--scale=8"),
        *(f"--input_path={source}", f"--output_path={target}"),
    )


@pytest.fixture
def source(tmp_path):
    return write_pictures(tmp_path / "in", [(SIDE, SIDE)] * COUNT)


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGKILL, -9), (signal.SIGTERM, 143), (signal.SIGINT, 130)],
)
def test_a_second_run_finishes_what_was_stopped(tmp_path, source, number, status):
    target = tmp_path / "out"
    process = Script(["test.py", *flags(source, target)])
    while not list(target.glob("[!.]*.png")):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == status
    assert errors == ("Stopped.\n" if number == signal.SIGINT else "")
    finished = {path: path.read_bytes() for path in target.glob("[!.]*.png")}
    assert 0 < len(finished) < COUNT
    for path in finished:
        assert load_image(path).shape == (8 * SIDE, 8 * SIDE, 3)
    if number != signal.SIGKILL:
        assert len(list(target.iterdir())) == len(finished) + 1

    for path in target.glob(".*.part*"):  # Left by the kill, and old enough to go.
        os.utime(path, (0, 0))
    said = succeed_here("test.py", *flags(source, target))
    assert f"Kept {len(finished)} of {COUNT} results" in said
    assert {path.name for path in target.iterdir()} == {
        *(f"{index}.png" for index in range(COUNT)),
        NAME,
    }
    for path, content in finished.items():
        assert path.read_bytes() == content


# Lists what the run before has left, and says the status of this one.
LISTED = """
import os, runpy, sys
print("kept", *(os.listdir({0!r}) if os.path.isdir({0!r}) else ()))
try:
    runpy.run_path({1!r}, run_name="__main__")
except SystemExit as end:
    print("status", 1 if isinstance(end.code, str) else end.code)
    raise
"""


def test_a_full_disk_ends_the_run_and_leaves_whole_results(tmp_path, source):
    disk = tmp_path / "disk"
    program = LISTED.format(str(disk / "SR"), str(ROOT / "test.py"))
    # Room for some of the results.
    command = [program, *flags(source, disk / "SR")]
    said, errors, _ = on_disk("size=8m", disk, command, 2)
    first, second = errors.strip().splitlines()[-2:]
    assert first.startswith(f"Error: {disk}/SR/") and "no space left" in first
    assert second.startswith("Error: ") and "no space left" in second
    assert said.count("status 1") == 2
    # What the second run lists is what the first one has left: no part of a file.
    _, kept = (line for line in said.splitlines() if line.startswith("kept"))
    names = set(kept.split()[1:]) - {NAME}
    assert 0 < len(names) < COUNT and not [n for n in names if n.startswith(".")]
    assert f"Kept {len(names)} of {COUNT} results" in said


def test_a_folder_that_may_not_be_written_to_is_told_before_any_work(tmp_path, source):
    disk = tmp_path / "disk"
    command = [ROOT / "test.py", *flags(source, disk / "SR")]
    line = f"Error: --output_path={disk}/SR: {disk} cannot be written to.\n"
    assert on_disk("ro", disk, command) == ("", line, [])


def test_a_picture_that_does_not_fit_the_memory_is_left_out(tmp_path, monkeypatch):
    from models.bicubic import Bicubic

    forward = Bicubic.forward

    def run_out(self, lr, scale):
        if np.all(np.asarray(lr) == 77):
            raise MemoryError
        return forward(self, lr, scale)

    monkeypatch.setattr(Bicubic, "forward", run_out)
    folder = write_pictures(tmp_path / "in", [(30, 30), (30, 60), (30, 31)])
    Image.new("RGB", (60, 30), (77, 77, 77)).save(folder / "1.png")
    done = run_here("test.py", *flags(folder, tmp_path / "out"))
    assert done.returncode == 1
    assert "1.png: out of memory with the smallest tiles" in done.stderr
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"0.png", "2.png", NAME}


def test_reading_is_one_ahead_and_writing_one_behind():
    events = []

    def load(source):
        events.append(f"read {source}")
        return source

    with (
        Writer() as writer,
        Prefetch(load, range(4), 1, 1, lambda source: source != 2) as reader,
    ):
        for source, wait in reader:
            assert wait() == source
            end = time.monotonic() + 10
            while source in (0, 2) and f"read {source + 1}" not in events:
                assert time.monotonic() < end
            events.append(f"have {source}")
            writer.put(lambda source=source: events.append(f"wrote {source}"), True)
    assert sorted(events) == sorted(
        f"{what} {n}" for n in range(4) for what in ("read", "have", "wrote")
    )
    assert events.index("read 1") < events.index("have 0")
    # Too large to be held beside another.
    assert events.index("read 2") > events.index("have 1")
    assert [e for e in events if e.startswith("wrote")] == [
        f"wrote {n}" for n in range(4)
    ]


def test_what_reading_raises_is_raised_where_it_is_asked_for():
    def load(source):
        if source == 1:
            raise ValueError("one")
        return source

    outcomes = []
    with Prefetch(load, range(3), 1, 1) as reader:
        for _, wait in reader:
            try:
                outcomes.append(wait())
            except ValueError as error:
                outcomes.append(str(error))
    assert outcomes == [0, "one", 2]


def test_what_writing_raises_ends_the_work():
    def fail():
        raise OSError("full")

    with (
        pytest.raises(OSError, match="full"),
        Writer() as writer,
    ):
        for count in range(9):
            assert count < 2
            writer.put(fail, True)
    with pytest.raises(OSError, match="full"), Writer() as writer:
        writer.put(fail, True)
