import numpy as np
import pytest

from console import machine
from console.errors import InputError
from imaging.pictures import Picture
from upscaling import budget
from upscaling.budget import Tiler
from upscaling.enlarging import Enlarger

GB = 1_000_000_000


@pytest.fixture
def memory(monkeypatch):
    def have(free, used):
        monkeypatch.setattr(budget, "free_memory", lambda: free)
        monkeypatch.setattr(budget, "used_memory", lambda: used)

    return have


def test_the_limit_counts_for_the_whole_process(memory):
    memory(free=20 * GB, used=GB)
    tiles = Tiler(limit=4 * GB).find_tiles(held=GB)
    assert tiles < 4 * GB - GB - GB
    assert Tiler(limit=8 * GB).find_tiles(held=GB) > tiles + 3 * GB


def test_what_a_process_keeps_for_later_tiles_is_not_lost_for_them(memory):
    memory(free=20 * GB, used=2 * GB)
    tiles = Tiler(limit=4 * GB).find_tiles(held=0)
    assert Tiler(limit=4 * GB, base=GB).find_tiles(held=0) == pytest.approx(tiles + GB)


def test_no_more_than_is_free_is_taken(memory):
    memory(free=2 * GB, used=GB)
    assert Tiler(limit=100 * GB).find_tiles(held=0) < 2 * GB
    assert Tiler().find_tiles(0) == Tiler(limit=100 * GB).find_tiles(0)


def test_tiles_never_shrink_to_nothing(memory):
    memory(free=GB // 10, used=GB)
    assert Tiler(limit=4 * GB).find_tiles(held=9 * GB) >= 200_000_000


def test_where_nothing_says_what_is_free_some_is_assumed(memory):
    memory(free=None, used=None)
    assert GB < Tiler().find_tiles(0) < 3 * GB


def test_small_pictures_are_light_and_large_ones_are_not(memory):
    memory(free=20 * GB, used=GB)
    one = Tiler(limit=4 * GB)
    assert one.is_light(8 * 4_000_000) and not one.is_light(8 * 100_000_000)


def write_container(folder, most, current, cached):
    (folder / "memory.max").write_text(f"{most}\n")
    (folder / "memory.current").write_text(f"{current}\n")
    (folder / "memory.stat").write_text(f"anon 5\ninactive_file {cached}\n")


def test_a_container_has_less_than_its_machine(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "_CONTAINER", tmp_path)
    alone = machine.free_memory()
    write_container(tmp_path, 900, 500, 100)
    assert machine.free_memory() == 500
    write_container(tmp_path, "max", 500, 100)
    assert machine.free_memory() == pytest.approx(alone, rel=0.5)


def test_what_a_process_takes_is_known():
    kept = np.ones(40_000_000)
    used = machine.used_memory()
    assert machine.peak_memory() > 0.99 * used > kept.nbytes


def test_what_is_held_of_a_picture_is_its_result():
    picture = Picture(np.zeros((10, 20, 3), np.uint8))
    # Itself, its result, and that once more with four bytes a pixel.
    exact = Enlarger(None, factor=4, scale=4).count_bytes(picture)
    assert exact == 10 * 20 * 3 + 40 * 80 * 3 + 40 * 80 * 4
    # What is resized once more is held in 16 bits.
    resized = Enlarger(None, factor=4, scale=3).count_bytes(picture)
    assert resized == 10 * 20 * 3 + 30 * 60 * 3 + 40 * 80 * 3 * 2
    assert Enlarger(None, 4, 3).find_size((10, 20)) == (30, 60)


def test_a_picture_that_takes_more_than_it_may_is_warned_of(memory, capsys):
    memory(free=20 * GB, used=GB)
    tiler = Tiler(limit=2 * GB)
    picture = Picture(np.zeros((1000, 1000, 3), np.uint8))
    tiler.tile(Enlarger(None, 2, 2), picture, "a.png")
    assert capsys.readouterr().err == ""
    tiling = tiler.tile(Enlarger(None, 16, 16), picture, "a.png")
    assert "a.png: the picture and its result need 1.79 GB" in capsys.readouterr().err
    assert tiling.memory >= 200_000_000
    strict = Tiler(limit=2 * GB, is_strict=True)
    with pytest.raises(InputError, match="2.00 GB; choose a smaller size"):
        strict.tile(Enlarger(None, 16, 16), picture, "a.png")
