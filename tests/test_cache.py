import mmap
import os
import shutil
import subprocess
import sys
import time
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

from console.errors import InputError
from console.files import written_whole
from dataloaders import cache
from dataloaders.cache import Plan, describe_sources, name_cache, open_cache
from dataloaders.paired_settings import PairedSettings
from dataloaders.pairs import Pair
from dataloaders.pixels import open_pixels
from dataloaders.sources import make_sources
from imaging.decoding import read_size
from imaging.files import load_image
from tests.pictures import draw_picture, write_pictures

ROOT = Path(__file__).resolve().parents[1]
SIZES = [(9, 12), (14, 7)]


class Folder:
    """A folder of pictures and the cache of it; counts how often one is loaded."""

    def __init__(self, path):
        self.images = write_pictures(path / "HR", SIZES)
        self.cache = path / "cache" / name_cache(self.images)
        self.loaded = 0

    def load(self, index):
        self.loaded += 1
        return load_image(self.images / f"{index}.png")

    def open(self, **options):
        paths = sorted(self.images.iterdir())
        shapes = [(*read_size(path), 3) for path in paths]
        plan = Plan(self.cache, describe_sources(paths), shapes, self.load)
        return open_cache(plan, **options)


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


def test_hr_and_lr_in_one_folder_have_caches_of_their_own(tmp_path, capsys):
    folder = write_pictures(tmp_path / "all", [(16, 24), (8, 12), (4, 6)])
    lr_paths = {2: folder / "1.png", 4: folder / "2.png"}
    pair = Pair("0", folder / "0.png", (16, 24), lr_paths, {2: (8, 12), 4: (4, 6)})
    sources = make_sources(str(folder), str(folder))
    settings = PairedSettings(scales=(2, 4), cache_path=tmp_path)
    for _ in range(2):
        hr, lr = open_pixels([pair], sources, settings)
        assert [x[0].shape[0] for x in (hr, lr[2], lr[4])] == [16, 8, 4]
    said = capsys.readouterr().out
    assert said.count("Cached 1 images") == 3 and "rebuilding it" not in said


@pytest.mark.parametrize("in_memory", [False, True])
def test_it_holds_the_decoded_pixels(folder, in_memory):
    opened = folder.open(in_memory=in_memory)
    assert len(opened) == 2
    for index, size in enumerate(SIZES):
        np.testing.assert_array_equal(opened[index], draw_picture(*size, index))
    base = opened[0]
    while isinstance(base, np.ndarray):
        base = base.base
    assert isinstance(base, mmap.mmap) != in_memory


@pytest.mark.parametrize("in_memory", [False, True])
def test_its_pixels_cannot_be_written_to(folder, in_memory):
    with pytest.raises(ValueError, match="read-only"):
        folder.open(in_memory=in_memory)[0][0, 0, 0] = 1


def test_it_is_made_once(folder):
    folder.open()
    made = folder.cache.stat()
    folder.open()
    assert folder.loaded == 2
    kept = folder.cache.stat()
    assert (kept.st_ino, kept.st_mtime_ns) == (made.st_ino, made.st_mtime_ns)


def test_it_is_made_again_when_a_source_changes(folder, capsys):
    folder.open()
    os.utime(folder.images / "1.png", ns=(1, 1))
    folder.open()
    assert folder.loaded == 4
    assert "have changed" in capsys.readouterr().out


def test_it_is_made_again_when_a_source_is_added(folder):
    folder.open()
    shutil.copy(folder.images / "0.png", folder.images / "2.png")
    np.testing.assert_array_equal(folder.open()[2], draw_picture(*SIZES[0], 0))


def test_it_is_made_again_when_a_source_is_removed(folder):
    folder.open()
    (folder.images / "1.png").unlink()
    assert len(folder.open()) == 1


def test_a_cache_of_another_version_is_made_again(folder, monkeypatch):
    folder.open()
    monkeypatch.setattr(cache, "VERSION", cache.VERSION + 1)
    folder.open()
    assert folder.loaded == 4


@pytest.mark.parametrize("damage", ["cut", "header", "emptied"])
def test_a_damaged_cache_is_made_again(folder, damage):
    expected = np.array(folder.open()[1])
    content = bytearray(folder.cache.read_bytes())
    if damage == "cut":
        content = content[:-1]
    elif damage == "header":
        content[4000] ^= 1
    else:
        content = b""
    folder.cache.write_bytes(content)
    np.testing.assert_array_equal(folder.open()[1], expected)
    assert folder.loaded == 4


def test_a_broken_source_is_named_and_leaves_nothing(folder):
    path = folder.images / "1.png"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(InputError, match=r"1\.png: is truncated"):
        folder.open()
    assert list(folder.cache.parent.iterdir()) == []


def test_a_full_disk_is_met_before_anything_is_written(folder, monkeypatch):
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda _: usage(100))
    with pytest.raises(
        InputError, match="100 bytes are free; free some space, or give"
    ):
        folder.open()
    assert folder.loaded == 0


def leave_part(folder, age):
    """What a build leaves that was killed some seconds ago."""
    with pytest.raises(KeyboardInterrupt), written_whole(folder.cache) as aside:
        raise KeyboardInterrupt
    aside.write_bytes(b"half")
    os.utime(aside, (time.time() - age,) * 2)
    return aside


def test_what_a_killed_build_left_is_removed_at_the_next(folder):
    left = leave_part(folder, age=3600)
    other = left.with_name(".0123456789ab.cafe.part.pixels")
    other.write_bytes(b"of another cache")
    os.utime(other, (1, 1))
    folder.open()
    assert sorted(folder.cache.parent.iterdir()) == [other, folder.cache]


def test_what_another_process_is_building_is_left_alone(folder):
    fcntl = pytest.importorskip("fcntl")
    locked, young = leave_part(folder, age=3600), leave_part(folder, age=1)
    with open(locked, "r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        folder.open()
    assert locked.exists() and young.exists()


def test_a_build_locks_what_it_writes(folder):
    fcntl = pytest.importorskip("fcntl")
    load = folder.load

    def load_and_look(index):
        (part,) = folder.cache.parent.iterdir()
        with open(part, "r+b") as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return load(index)

    folder.load = load_and_look
    folder.open()
    assert folder.loaded == 2


def test_what_the_system_writes_only_in_part_is_written_to_the_end(folder, monkeypatch):
    # As on a disk that fills up: no error yet, but fewer bytes than asked for.
    write = os.pwrite
    monkeypatch.setattr(
        cache.os, "pwrite", lambda file, data, at: write(file, data[:100], at)
    )
    opened = folder.open()
    for index, size in enumerate(SIZES):
        np.testing.assert_array_equal(opened[index], draw_picture(*size, index))


def test_a_folder_that_may_not_be_written_is_named(folder, monkeypatch):
    monkeypatch.setattr(cache.os, "access", lambda *_: False)
    with pytest.raises(InputError, match="is not writable; give another --cache_path"):
        folder.open()


BUILD_PROGRAM = """
import sys, time
from pathlib import Path
from dataloaders.cache import Plan, describe_sources, open_cache
from imaging.decoding import read_size
from imaging.files import load_image

def load(index):
    time.sleep(0.1)  # So that the two surely build at the same time.
    return load_image(paths[index])

paths = sorted(Path(sys.argv[1]).iterdir())
shapes = [(*read_size(path), 3) for path in paths]
input()
opened = open_cache(Plan(Path(sys.argv[2]), describe_sources(paths), shapes, load))
assert all((opened[i] == load_image(path)).all() for i, path in enumerate(paths))
"""


def test_two_processes_may_build_it_at_once(folder):
    command = [sys.executable, "-c", BUILD_PROGRAM, folder.images, folder.cache]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    both = [subprocess.Popen(command, cwd=ROOT, **pipes) for _ in range(2)]
    for process in both:
        process.stdin.write("\n")
        process.stdin.flush()
    said = [process.communicate(timeout=60)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    # Both, if they met; one that came late found what the other had built.
    assert any("Cached 2 images" in text for text in said)
    assert list(folder.cache.parent.iterdir()) == [folder.cache]
    folder.open()
    assert folder.loaded == 0


def test_a_folder_that_cannot_be_made_is_named(folder, tmp_path):
    (tmp_path / "file").write_text("")
    folder.cache = tmp_path / "file" / "a.pixels"
    with pytest.raises(InputError, match="cannot be made .*--cache_path"):
        folder.open()


def test_folders_of_one_name_have_caches_of_their_own(tmp_path):
    names = {name_cache(tmp_path / part / "HR") for part in "ab"}
    assert len(names) == 2
    assert all(name.startswith(("a-HR-", "b-HR-")) for name in names)


def test_any_folder_name_gives_a_name_that_a_file_can_have(tmp_path):
    not_utf8 = os.fsdecode(b"H\xff")
    for source in (tmp_path / ("\N{SNOWMAN}" * 80) / ("b" * 250), tmp_path / not_utf8):
        assert len(os.fsencode(name_cache(source, "-x8"))) < 200


def test_the_users_cache_folder_follows_the_environment(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert str(cache.default_folder()) == "/somewhere/perceptual-eusr"
