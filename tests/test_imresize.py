"""Against MATLAB's own results: some stand here, the others lie in ../shared."""

import tracemalloc

import numpy as np
import pytest
from PIL import Image
from scipy.io import loadmat

from imaging.files import load_image
from imaging.imresize import imresize, imresize_part
from tests.pictures import draw_picture
from tests.shared_data import SHARED, needs_shared
from tests.timing import shortest

RAMP8 = np.arange(64.0).reshape(8, 8)
RAMP4 = np.arange(16.0).reshape(4, 4)
RAMP15 = np.arange(225.0).reshape(15, 15)

# What MATLAB R2019b gives for the ramps above, in double.
HALF_OF_RAMP8 = [
    [4.04296875, 6.08203125, 8.10546875, 10.14453125],
    [20.35546875, 22.39453125, 24.41796875, 26.45703125],
    [36.54296875, 38.58203125, 40.60546875, 42.64453125],
    [52.85546875, 54.89453125, 56.91796875, 58.95703125],
]
QUARTER_OF_RAMP8 = [[12.3837890625, 16.6318359375], [46.3681640625, 50.6162109375]]
RAMP4_TO_3 = [
    [0.7505518763796901, 2.1004415011037523, 3.4503311258278133],
    [6.150110375275939, 7.500000000000001, 8.849889624724064],
    [11.549668874172186, 12.89955849889625, 14.24944812362031],
]
RAMP4_TO_3_WITHOUT_ANTIALIASING = [
    [0.5439814814814781, 1.9351851851851825, 3.3263888888888866],
    [6.108796296296295, 7.5, 8.891203703703704],
    [11.67361111111111, 13.064814814814817, 14.456018518518519],
]

FILES = {
    "down_down_aa": (RAMP8, (3, 4), True),
    "down_down_noaa": (RAMP8, (3, 4), False),
    "down_down_irregular_aa": (RAMP8, (5, 7), True),
    "down_down_irregular_noaa": (RAMP8, (5, 7), False),
    "down_down_small_aa": (RAMP4, (3, 3), True),
    "down_down_small_noaa": (RAMP4, (3, 3), False),
    "down_down_x2_aa": (RAMP8, (4, 4), True),
    "down_down_x3_aa": (RAMP15, (5, 5), True),
    "down_down_x4_aa": (RAMP8, (2, 2), True),
    "down_down_x5_aa": (RAMP15, (3, 3), True),
    "up_up_irregular_aa": (RAMP8, (11, 13), True),
    "up_up_irregular_noaa": (RAMP8, (11, 13), False),
    "down_down_butterfly_irregular_aa": (None, (123, 234), True),
    "down_down_butterfly_irregular_noaa": (None, (123, 234), False),
}


@pytest.mark.parametrize(
    ("image", "options", "expected"),
    [
        (RAMP8, {"scale": 1 / 2}, HALF_OF_RAMP8),
        (RAMP8, {"scale": 1 / 4}, QUARTER_OF_RAMP8),
        (RAMP4, {"size": (3, 3)}, RAMP4_TO_3),
        (
            RAMP4,
            {"size": (3, 3), "antialiasing": False},
            RAMP4_TO_3_WITHOUT_ANTIALIASING,
        ),
    ],
)
def test_ramps_become_what_matlab_makes_of_them(image, options, expected):
    np.testing.assert_allclose(imresize(image, **options), expected, atol=1e-12)


@needs_shared
@pytest.mark.parametrize("name", FILES)
def test_doubles_agree_with_matlabs_files(name):
    image, size, antialiasing = FILES[name]
    folder = SHARED / "data" / "imresize" / "bicubic_pytorch"
    if image is None:
        image = load_image(folder / "butterfly.png") / 255
    ours = imresize(image, size=size, antialiasing=antialiasing)
    theirs = loadmat(folder / f"{name}.mat")[name]
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)


@needs_shared
@pytest.mark.parametrize(
    ("data_set", "scale"),
    [("Set5", 2), ("Set5", 4), ("Set5", 8), ("B100", 2), ("B100", 4)],
)
def test_no_pixel_of_the_benchmark_sets_differs(data_set, scale):
    folder = SHARED / "data" / data_set
    paths = sorted((folder / "HR").glob("*.png"))
    assert len(paths) == {"Set5": 5, "B100": 100}[data_set]
    for path in paths:
        hr = load_image(path)
        height, width = (length // scale * scale for length in hr.shape[:2])
        ours = imresize(hr[:height, :width], 1 / scale)
        theirs = folder / "LR" / f"x{scale}" / f"{path.stem}x{scale}.png"
        np.testing.assert_array_equal(ours, load_image(theirs))


@needs_shared
def test_an_odd_size_agrees_with_matlab_in_uint8_and_in_double():
    folder = SHARED / "data" / "imresize" / "fatheral"
    image = load_image(folder / "lena_512x512.png")
    ours = imresize(image, size=(123, 234))
    np.testing.assert_array_equal(ours, load_image(folder / "lena_123x234_uint8.png"))
    double = np.floor(imresize(image / 255, size=(123, 234)) * 255 + 0.5)
    theirs = load_image(folder / "lena_123x234_double.png")
    np.testing.assert_array_equal(np.clip(double, 0, 255), theirs)


def test_a_factor_rounds_the_size_up():
    assert imresize(np.zeros((1356, 9), np.uint8), 1 / 8).shape == (170, 2)


def test_uint8_is_rounded_after_each_pass():
    image = draw_picture(40, 60)
    rows = np.floor(imresize(image.astype(float), (1 / 4, 1)) + 0.5).clip(0, 255)
    both = np.floor(imresize(rows, (1, 1 / 4)) + 0.5).clip(0, 255)
    np.testing.assert_array_equal(imresize(image, 1 / 4), both)
    once = np.floor(imresize(image.astype(float), 1 / 4) + 0.5).clip(0, 255)
    assert np.any(once != both)


def test_the_dimension_that_shrinks_most_goes_first():
    image = draw_picture(40, 60)
    first = imresize(image, (1, 1 / 4))
    np.testing.assert_array_equal(
        imresize(image, (1 / 2, 1 / 4)), imresize(first, (1 / 2, 1))
    )


def test_a_flat_image_stays_flat_and_a_plane_stays_a_plane():
    assert np.all(imresize(np.full((9, 7), 77, np.uint8), 3.7) == 77)
    up = imresize(RAMP15, 2)[6:-6, 6:-6]
    np.testing.assert_allclose(np.diff(up, axis=1), 0.5, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
def test_cutting_the_work_into_blocks_changes_no_bit(monkeypatch, dtype):
    image = draw_picture(40, 60).astype(dtype)
    whole = [imresize(image, scale) for scale in (1 / 3, 1 / 4, 2.5)]
    monkeypatch.setattr("imaging.imresize.BLOCK", 4000)
    for scale, expected in zip((1 / 3, 1 / 4, 2.5), whole, strict=True):
        np.testing.assert_array_equal(imresize(image, scale), expected)


def test_a_large_result_is_never_held_as_floats():
    image = draw_picture(300, 300)
    tracemalloc.start()
    try:
        enlarged = imresize(image, 8)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # As float32 alone it would take four times its size.
    assert peak < 2.5 * enlarged.nbytes


def test_float32_stays_float32():
    assert imresize(RAMP8.astype(np.float32), 2).dtype == np.float32


@pytest.mark.parametrize(
    ("image", "options"),
    [
        (RAMP8, {}),
        (RAMP8, {"scale": 2, "size": (3, 3)}),
        (RAMP8, {"scale": 0}),
        (RAMP8, {"size": (0, 3)}),
        (RAMP8, {"size": np.array([0, 3])}),
        (RAMP8[0], {"scale": 2}),
        (RAMP8.astype(np.int64), {"scale": 2}),
    ],
)
def test_what_makes_no_sense_is_refused(image, options):
    with pytest.raises(ValueError, match="Received|Give either"):
        imresize(image, **options)


def test_downscaling_takes_less_time_than_decoding(tmp_path):
    picture = np.kron(draw_picture(339, 510), np.ones((4, 4, 1), np.uint8))
    noise = np.random.default_rng(0).integers(-9, 9, picture.shape)
    picture = np.clip(picture + noise, 0, 255).astype(np.uint8)
    path = tmp_path / "picture.png"
    Image.fromarray(picture).save(path)

    assert shortest(lambda: imresize(picture, 1 / 4)) < shortest(
        lambda: load_image(path)
    )


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("scale", [0.3, 1.7, 4])
def test_a_part_is_what_the_whole_has_there(scale, dtype):
    image = draw_picture(60, 90).astype(dtype)
    whole = imresize(image, scale)
    height, width = size = whole.shape[:2]
    for rows, columns in (
        ((0, height), (0, width)),
        ((0, 5), (width - 7, width)),
        ((height // 2, height // 2 + 1), (3, width - 2)),
    ):
        part = imresize_part(image, scale, size, rows, columns)
        assert part.dtype == dtype
        np.testing.assert_array_equal(part, whole[slice(*rows), slice(*columns)])
