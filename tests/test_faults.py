import cv2
import numpy as np
import pytest
from PIL import Image

from imaging import faults
from imaging.degrading import add_noise, compress_jpeg
from imaging.files import load_image, save_image
from models.opening import CheckpointSettings
from tests.pictures import draw_picture
from tests.scripts import succeed_here
from tests.shared_data import SHARED, needs_shared
from training import checkpoints

# Its noise is blurred.
CLEAN = cv2.GaussianBlur(draw_picture(160, 200), (0, 0), 1.5)


@pytest.fixture
def png(tmp_path):
    save_image(tmp_path / "a.png", CLEAN)
    return tmp_path / "a.png"


@pytest.mark.parametrize("quality", [20, 30, 59, 60, 85, 100])
def test_the_quality_of_a_jpeg_is_that_of_its_tables(tmp_path, quality):
    path = tmp_path / "a.jpg"
    Image.fromarray(CLEAN).save(path, quality=quality)
    assert abs(faults.read_quality(path) - quality) <= 1
    found = faults.find_faults(path, CLEAN)
    assert found == ([f"JPEG of quality {quality}"] if quality < 60 else [])


def test_noise_and_blocks_are_found_in_pixels_and_a_clean_picture_is_left_alone(png):
    assert faults.read_quality(png) is None
    assert faults.find_faults(png, CLEAN) == []
    # The grid begins anywhere.
    blocks = compress_jpeg(CLEAN, 20)[3:, 5:]
    assert "blocks of a JPEG" in faults.find_faults(png, blocks)
    random = np.random.default_rng(0)
    for is_grey, strength in ((False, 8), (True, 14)):
        image = np.float32(CLEAN) / 2 + 60  # Away from black and white.
        noisy = add_noise(image, strength, random, False, is_grey).astype(np.uint8)
        assert faults.find_faults(png, noisy) == ["noise"]
        assert faults.find_faults(png, noisy[:50]) == []
    assert faults.find_faults(png, noisy[..., :1]) == ["noise"]
    deep = noisy.astype(np.uint16) * 257
    assert faults.find_faults(png, deep) == ["noise"]


def test_one_line_says_which_pictures_look_degraded(tmp_path, monkeypatch):
    (tmp_path / "LR").mkdir()
    for name, quality in (("a", 30), ("b", 95), ("c", 40)):
        Image.fromarray(CLEAN).save(tmp_path / "LR" / f"{name}.jpg", quality=quality)
    flags = [f"--input_path={tmp_path / 'LR'}", "--scale=2", "--overwrite"]
    flags += [f"--output_path={tmp_path / 'SR'}", "--model=bicubic"]
    said = succeed_here("test.py", *flags)
    (line,) = [line for line in said.splitlines() if "degraded" in line]
    assert (
        "a.jpg (JPEG of quality 30), " in line and "c.jpg (JPEG of quality 40" in line
    )
    assert "b.jpg" not in line and line.endswith(faults.ADVICE)
    monkeypatch.setattr(CheckpointSettings, "knows_faults", lambda self: True)
    assert "degraded" not in succeed_here("test.py", *flags)


@pytest.mark.parametrize(
    ("arguments", "knows"),
    [
        (None, False),
        ({"run": {}}, False),
        ({"run": {"degradation_values": None}}, False),
        ({"run": {"degradation_values": {"first": {}}}}, True),
        ({"degradation_values": {"first": {}}}, True),
        # Those before the run.
        ({"run": {"seed": 1}, "degradation_values": {"first": {}}}, False),
    ],
)
def test_weights_of_degraded_pictures_are_known(monkeypatch, arguments, knows):
    monkeypatch.setattr(checkpoints, "describe", lambda prefix: arguments)
    assert CheckpointSettings("model.ckpt-1").knows_faults() is knows
    assert CheckpointSettings(None).knows_faults() is False


@needs_shared
def test_no_clean_photograph_is_named_and_most_bad_ones_are(png):
    folders = [SHARED / "data" / name for name in ("B100", "Kodak24", "photos_half")]
    paths = [p for f in folders for p in sorted(f.rglob("*")) if p.is_file()]
    paths = [p for p in paths if "LR" not in p.parts and p.suffix in (".png", ".jpg")]
    assert len(paths) == 100 + 24 + 55
    named, bad = [], 0
    for path in paths[::4]:
        image = load_image(path)
        named += [path] * bool(faults.find_faults(path, image))
        bad += bool(faults.find_faults(png, compress_jpeg(image[:1024, :1024], 30)))
    assert named == []
    assert bad > 0.9 * len(paths[::4])
