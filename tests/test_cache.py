import os
import shutil
from collections import namedtuple

import numpy as np
import pytest

from console.errors import InputError
from dataloaders import cache
from dataloaders.cache import describe_sources, name_cache, open_cache
from imaging.files import load_image, read_size
from tests.pictures import draw_picture, write_pictures

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
        return open_cache(
            self.cache, describe_sources(paths), shapes, self.load, **options
        )


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


@pytest.mark.parametrize("in_memory", [False, True])
def test_it_holds_the_decoded_pixels(folder, in_memory):
    opened = folder.open(in_memory=in_memory)
    assert len(opened) == 2
    for index, size in enumerate(SIZES):
        np.testing.assert_array_equal(opened[index], draw_picture(*size, index))
    assert isinstance(opened.pixels, np.memmap) != in_memory


def test_the_map_cannot_be_written_to(folder):
    with pytest.raises(ValueError, match="read-only"):
        folder.open()[0][0, 0, 0] = 1


def test_it_is_made_once(folder):
    folder.open()
    folder.open()
    assert folder.loaded == 2


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
    with pytest.raises(InputError, match="GB are free; make room, or --cache_path"):
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


def test_the_users_cache_folder_follows_the_environment(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert str(cache.default_folder()) == "/somewhere/perceptual-eusr"
