import numpy as np
import pytest
from skimage.metrics import structural_similarity

from console.errors import InputError
from imaging.colour import to_y
from imaging.files import load_image, to_uint8
from imaging.imresize import imresize
from metrics import mse_y, pirm_rmse, psnr_rgb, psnr_y, rmse_rgb, ssim_y
from tests.pictures import draw_picture
from tests.shared_data import SHARED, needs_shared

GREY = np.full((30, 40, 3), 100, np.uint8)


def test_one_grey_level_of_error_is_48_decibels():
    assert psnr_rgb(GREY + 1, GREY) == pytest.approx(48.13, abs=0.005)
    assert rmse_rgb(GREY + 1, GREY) == 1


def test_one_grey_level_is_219_255ths_of_a_level_of_luma():
    # The studio range of BT.601 has 219 levels where RGB has 255.
    assert mse_y(GREY + 1, GREY) == pytest.approx((219 / 255) ** 2)
    expected = 20 * np.log10(255 / (219 / 255))
    assert psnr_y(GREY + 1, GREY) == pytest.approx(expected)


def test_luma_has_the_coefficients_of_bt_601_and_is_not_rounded():
    colours = np.array([[[0, 0, 0], [255, 255, 255], [255, 0, 0], [1, 0, 0]]])
    expected = [[16, 235, 16 + 65.481, 16 + 65.481 / 255]]
    np.testing.assert_allclose(to_y(colours), expected, rtol=1e-12)


def test_equal_pictures_are_perfect():
    assert psnr_y(GREY, GREY) == psnr_rgb(GREY, GREY) == float("inf")
    assert ssim_y(GREY, GREY) == 1


def test_the_output_is_rounded_and_clipped_as_it_would_be_saved():
    assert psnr_rgb(GREY + 0.49, GREY) == float("inf")
    assert rmse_rgb(GREY + 0.5, GREY) == 1
    white = np.full((30, 40, 3), 255, np.uint8)
    assert rmse_rgb(white + 9.0, white) == 0


def test_shaved_pixels_do_not_count():
    sr = GREY.copy()
    sr[:3], sr[-3:], sr[:, :3], sr[:, -3:] = 0, 0, 0, 0
    assert rmse_rgb(sr, GREY, shave=3) == 0
    assert rmse_rgb(sr, GREY, shave=2) > 0
    assert rmse_rgb(sr, GREY, shave=0) > rmse_rgb(sr, GREY, shave=2)


def test_pirms_rmse_is_the_root_of_the_mean_not_the_mean_of_roots():
    assert pirm_rmse([0, 4]) == pytest.approx(np.sqrt(2))


def test_ssim_agrees_with_scikit_image_on_whole_windows():
    sr, hr = draw_picture(50, 60, 1), draw_picture(50, 60, 2)
    _, full = structural_similarity(
        to_y(sr[4:-4, 4:-4]),
        to_y(hr[4:-4, 4:-4]),
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
        full=True,
    )
    assert ssim_y(sr, hr) == pytest.approx(full[5:-5, 5:-5].mean(), abs=1e-9)


def test_ssim_of_two_flat_pictures_is_their_luminance_term():
    dark, bright = to_y(GREY[0, 0]), to_y(GREY[0, 0] + 50)
    c1 = (0.01 * 255) ** 2
    expected = (2 * dark * bright + c1) / (dark**2 + bright**2 + c1)
    assert ssim_y(GREY + 50, GREY) == pytest.approx(expected)


@pytest.mark.parametrize("measure", [psnr_rgb, psnr_y, rmse_rgb, ssim_y, mse_y])
def test_other_shapes_and_too_small_pictures_are_refused(measure):
    with pytest.raises(InputError, match=r"\(30, 39, 3\)"):
        measure(GREY[:, :39], GREY)
    with pytest.raises(InputError, match="too few to measure"):
        measure(GREY[:8], GREY[:8])


@needs_shared
def test_bicubic_has_its_published_psnr_on_b100():
    folder = SHARED / "data" / "B100"
    values = []
    for path in sorted((folder / "HR").glob("*.png")):
        hr = load_image(path)
        hr = hr[: hr.shape[0] // 4 * 4, : hr.shape[1] // 4 * 4]
        in_uint8 = imresize(load_image(folder / "LR" / "x4" / f"{path.stem}x4.png"), 4)
        # Both resizes in double, only their results rounded.
        lr = to_uint8(imresize(hr.astype(np.float64), 1 / 4))
        in_double = imresize(lr.astype(np.float64), 4)
        values.append([psnr_y(in_uint8, hr), psnr_y(in_double, hr)])
    assert len(values) == 100
    assert np.mean(values, axis=0) == pytest.approx([25.955, 25.957], abs=0.001)


@needs_shared
@pytest.mark.parametrize(
    ("scale", "in_uint8", "in_float"),
    [(2, 33.673, 33.678), (4, 28.429, 28.431), (8, 24.397, 24.398)],
)
def test_bicubic_has_its_known_psnr_on_set5(scale, in_uint8, in_float):
    folder = SHARED / "data" / "Set5"
    values = []
    for path in sorted((folder / "HR").glob("*.png")):
        lr = load_image(folder / "LR" / f"x{scale}" / f"{path.stem}x{scale}.png")
        sizes = lr.shape[0] * scale, lr.shape[1] * scale
        hr = load_image(path)[: sizes[0], : sizes[1]]
        values.append(
            [
                psnr_y(imresize(image, scale), hr, shave=scale)
                for image in (lr, lr.astype(np.float64))
            ]
        )
    assert np.mean(values, axis=0) == pytest.approx([in_uint8, in_float], abs=0.001)
