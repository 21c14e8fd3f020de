import numpy as np
import pytest
import scipy.io
from scipy.special import gamma

from console.errors import InputError
from imaging.files import load_image
from metrics import niqe
from metrics.niqe import BLOCK, FEATURES, NIQE, _fit, compute_features
from tests.shared_data import SHARED, needs_shared


def draw_photograph(height=2 * BLOCK + 5, width=3 * BLOCK + 7):
    """Coloured noise, smoother in some places than in others."""
    draw = np.random.default_rng(0)
    image = draw.normal(0, 30, (height, width, 3))
    image *= np.linspace(0.2, 1.5, width)[:, None]
    return np.clip(128 + image.cumsum(axis=1) / 4, 0, 255).astype(np.uint8)


def make_model(image):
    features = compute_features(image[..., 1][: 2 * BLOCK, : 3 * BLOCK].astype(float))
    return NIQE(features.mean(axis=0), np.cov(features, rowvar=False) + np.eye(36))


@needs_shared
@pytest.mark.parametrize("name", ["modelparameters.mat", "niqe_pris_params.npz"])
def test_the_value_that_matlab_gives(name):
    folder = SHARED / "data" / "NIQE"
    measure = NIQE.from_file(folder / name)
    image = load_image(folder / "baboon.png")
    assert measure(image) == pytest.approx(5.7296, abs=1e-4)


def test_the_shape_of_known_distributions_is_found():
    draw = np.random.default_rng(0)
    values = np.stack([draw.normal(0, 2, 400_000), draw.laplace(0, 3, 400_000)])
    shape, left, right = _fit(values)
    np.testing.assert_allclose(shape, [2, 1], rtol=0.01)
    # A Gaussian's scale is the root of two of its deviation, Laplace's its own.
    np.testing.assert_allclose(left, [2 * 2**0.5, 3], rtol=0.02)
    np.testing.assert_allclose(right, left, rtol=0.02)


def test_an_asymmetric_distribution_has_two_scales():
    draw = np.random.default_rng(0)
    values = draw.laplace(0, 1, (1, 400_000))
    values = np.where(values < 0, 3 * values, values)
    _, left, right = _fit(values)
    assert float(left[0] / right[0]) == pytest.approx(3, rel=0.02)


def test_moments_are_compared_as_the_authors_do():
    draw = np.random.default_rng(3)
    values = draw.normal(0, 1, (1, 5000)) ** 3 + 0.2
    shape, left, right = (float(x[0]) for x in _fit(values))
    v = values[0]
    l_std, r_std = (np.sqrt((side**2).mean()) for side in (v[v < 0], v[v > 0]))
    g = l_std / r_std
    r_hat = np.abs(v).mean() ** 2 / (v**2).mean()
    target = r_hat * (g**3 + 1) * (g + 1) / (g**2 + 1) ** 2
    shapes = np.arange(200, 10001) / 1000
    known = gamma(2 / shapes) ** 2 / gamma(1 / shapes) / gamma(3 / shapes)
    assert shape == pytest.approx(shapes[np.argmin((known - target) ** 2)])
    width = np.sqrt(gamma(1 / shape) / gamma(3 / shape))
    assert (left, right) == pytest.approx((l_std * width, r_std * width))


def test_noise_and_blur_are_further_from_a_picture_than_itself():
    image = draw_photograph()
    measure = make_model(image)
    noise = np.random.default_rng(1).normal(0, 25, image.shape)
    assert measure(image) < measure(np.clip(image + noise, 0, 255))
    assert measure(image) < measure(np.full_like(image, 9) + image // 8)


def test_shaving_is_cutting():
    image = draw_photograph()
    measure = make_model(image)
    assert measure(image, shave=2) == measure(image[2:-2, 2:-2])
    assert measure(image, shave=2) != measure(image)


def test_flat_blocks_are_left_out_and_a_flat_picture_has_no_value():
    image = draw_photograph()
    measure = make_model(image)
    image[:BLOCK, :BLOCK] = 50
    assert np.isfinite(measure(image))
    assert np.isnan(measure(np.full_like(image, 50)))


def test_values_that_are_missing_count_as_in_matlab(monkeypatch):
    # The mean passes over a value, the covariance over a block.
    features = np.random.default_rng(0).normal(0, 1, (6, FEATURES))
    features[0, 3] = np.nan
    monkeypatch.setattr(niqe, "compute_features", lambda grey: features)
    covariance = (np.eye(FEATURES) + np.cov(features[1:], rowvar=False)) / 2
    mean = np.nanmean(features, axis=0)
    expected = np.sqrt(mean @ np.linalg.pinv(covariance) @ mean)
    measure = NIQE(np.zeros(FEATURES), np.eye(FEATURES))
    assert measure(draw_photograph()) == pytest.approx(expected)


def test_a_picture_of_one_block_is_refused():
    measure = make_model(draw_photograph())
    with pytest.raises(InputError, match="100x191 pixels are too few for NIQE"):
        measure(np.zeros((191, 100, 3), np.uint8))


def test_both_kinds_of_file_are_read(tmp_path):
    mean, covariance = np.arange(FEATURES), np.eye(FEATURES)
    scipy.io.savemat(
        tmp_path / "a.mat", {"mu_prisparam": mean, "cov_prisparam": covariance}
    )
    np.savez(
        tmp_path / "a.npz", mu_pris_param=mean[None], cov_pris_param=covariance, more=1
    )
    for name in ("a.mat", "a.npz"):
        model = NIQE.from_file(tmp_path / name)
        np.testing.assert_array_equal(model.mean, mean)
        np.testing.assert_array_equal(model.covariance, covariance)


def test_other_files_are_refused_in_one_line(tmp_path):
    (tmp_path / "a.mat").write_bytes(b"no MATLAB file")
    (tmp_path / "a.npz").write_bytes(b"no NumPy file")
    np.savez(tmp_path / "b.npz", weights=1)
    np.savez(tmp_path / "c.npz", mu_pris_param=[1], cov_pris_param=[[1]])
    (tmp_path / "d.npz").write_bytes(b"")
    for name, value in {"text": "a", "nan": np.nan, "complex": 1j}.items():
        mean, covariance = np.full(FEATURES, value), np.eye(FEATURES)
        np.savez(tmp_path / name, mu_prisparam=mean, cov_prisparam=covariance)
    for name, found in {
        "d.npz": "cannot be read",
        "text.npz": "not finite numbers",
        "nan.npz": "not finite numbers",
        "complex.npz": "not finite numbers",
        "a.mat": "cannot be read",
        "a.npz": "cannot be read",
        "b.npz": "holds weights",
        "c.npz": "holds cov_pris_param, mu_pris_param",
        "missing.mat": "no such file",
        ".": "is a folder",
    }.items():
        with pytest.raises(InputError, match=found) as caught:
            NIQE.from_file(tmp_path / name)
        assert "modelparameters.mat" in str(caught.value)
