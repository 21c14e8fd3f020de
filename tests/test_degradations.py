import collections
import concurrent.futures
import io
import json
import math

import cv2
import numpy as np
import pytest
from PIL import Image

from console.errors import InputError
from dataloaders import degradations, degraded, paired
from dataloaders.degradation_settings import PRESETS, load_strength
from dataloaders.degradations import Degradation, open_degradation
from dataloaders.paired import PairedLoader
from dataloaders.paired_settings import PairedSettings
from imaging import degrading
from imaging.files import load_image
from imaging.imresize import make_lr
from tests.pictures import draw_picture, write_pictures
from tests.scripts import fail_here, succeed_here
from training.arguments import check_same_run

DRAWS = 3000
FAULTS = ("blur", "noise", "sharpen", "compress")
QUIET = {f"{fault}_probability": 0 for fault in FAULTS}
QUIET["resize_up_down_keep"] = (0, 0, 1)


def write_json(folder, **values):
    path = folder / "mine.json"
    path.write_text(json.dumps(values))
    load_strength.cache_clear()
    return str(path)


def write_quiet(folder, clean=0, **first):
    """A degradation that does nothing but what `first` says."""
    values = {"first": QUIET | first, "second": QUIET}
    return write_json(
        folder, **values, clean_probability=clean, final_sinc_probability=0
    )


def make_loader(folder, degradation, scales=(2, 4), **settings):
    settings = {"lr_patch_size": 6, "batch_size": 4, "seed": 3} | settings
    loader = PairedLoader(
        PairedSettings(
            truth_path=(str(folder / "HR"),),
            scales=scales,
            cache_path=str(folder / "cache"),
            degradation=degradation,
            **settings,
        )
    )
    loader.prepare()
    return loader


@pytest.fixture
def recorded(monkeypatch):
    """The arguments of each call of the functions that degrade, by their names."""
    calls = collections.defaultdict(list)
    for name in ("make_gaussian", "make_kernel", "make_sinc", "add_noise", "sharpen"):
        monkeypatch.setattr(degrading, name, record(getattr(degrading, name), calls))
    for name in ("compress_jpeg", "compress_webp"):
        monkeypatch.setattr(degrading, name, record(getattr(degrading, name), calls))
    return calls


def record(function, calls):
    def call(*arguments, **named):
        calls[function.__name__].append((*arguments, *named.values()))
        return function(*arguments, **named)

    return call


def has_range(values, least, most):
    """Whether many draws lie within bounds and come near both."""
    near = 8 / len(values) * (most - least)  # Missed by chance in exp(-8) of cases.
    return least <= min(values) < least + near and most - near < max(values) <= most


def is_share(count, total, share):
    """Whether a count is within four standard deviations of its expectation."""
    return (
        abs(count - total * share) < 4 * math.sqrt(total * share * (1 - share)) + 1e-9
    )


# As printed in the options of Real-ESRGAN, for both stages.
@pytest.mark.parametrize(("stage", "sigma"), [("first", 3), ("second", 1.5)])
def test_kernels_are_drawn_as_published(recorded, stage, sigma):
    stage, random = getattr(load_strength("photo"), stage), np.random.default_rng(0)
    for _ in range(DRAWS):
        degradations.draw_kernel(stage, random)
    sinc, gaussian = recorded["make_sinc"], recorded["make_gaussian"]
    others = recorded["make_kernel"]  # size, sigmas, angle, beta, is_plateau
    assert is_share(len(sinc), DRAWS, 0.1)
    kinds = collections.Counter((o[-1], o[1][0] != o[1][1]) for o in others)
    rest = DRAWS - len(sinc)
    assert is_share(len(gaussian), rest, 0.45)
    # The share of anisotropic kernels is that of Gaussians and generalised Gaussians.
    assert is_share(kinds[False, True], rest, 0.25 + 0.03)
    assert is_share(kinds[False, False], rest, 0.12)
    assert is_share(kinds[True, False], rest, 0.12)
    assert is_share(kinds[True, True], rest, 0.03)
    sizes = collections.Counter(call[0] for call in (*sinc, *gaussian, *others))
    assert sorted(sizes) == list(range(7, 22, 2))
    assert all(is_share(count, DRAWS, 1 / 8) for count in sizes.values())
    assert has_range([o[1][0] for o in others] + [g[1] for g in gaussian], 0.2, sigma)
    betas = [o[3] for o in others if not o[4] and o[3] != 1]
    assert has_range(betas, 0.5, 4)
    assert is_share(sum(beta < 1 for beta in betas), len(betas), 0.5)
    assert has_range([o[3] for o in others if o[4]], 1, 2)
    assert has_range([s[1] for s in sinc if s[0] < 13], math.pi / 3, math.pi)
    assert has_range([s[1] for s in sinc if s[0] >= 13], math.pi / 5, math.pi)


@pytest.mark.parametrize(
    ("stage", "shares", "least", "most"),
    [("first", (0.2, 0.7), 0.15, 1.5), ("second", (0.3, 0.4), 0.3, 1.2)],
)
def test_resizing_is_drawn_as_published(stage, shares, least, most):
    stage, random = getattr(load_strength("photo"), stage), np.random.default_rng(0)
    factors = [degradations.draw_factor(stage, random) for _ in range(DRAWS)]
    up, down = [f for f in factors if f > 1], [f for f in factors if f < 1]
    assert is_share(len(up), DRAWS, shares[0]) and has_range(up, 1, most)
    assert is_share(len(down), DRAWS, shares[1]) and has_range(down, least, 1)


@pytest.mark.parametrize(
    ("stage", "gaussian", "poisson"), [("first", 30, 3), ("second", 25, 2.5)]
)
def test_noise_and_compression_are_drawn_as_published(
    recorded, stage, gaussian, poisson
):
    stage, random = getattr(load_strength("photo"), stage), np.random.default_rng(0)
    for _ in range(DRAWS):
        image = degradations.spoil(np.full((2, 2, 3), 99.0, np.float32), stage, random)
        assert degradations.compress(image, stage, random).dtype == np.uint8
    noise = recorded["add_noise"]  # image, strength, random, is_poisson, is_grey
    assert len(noise) == DRAWS
    assert has_range([n[1] for n in noise if not n[3]], 1, gaussian)
    assert has_range([n[1] for n in noise if n[3]], 0.05, poisson)
    assert is_share(sum(n[3] for n in noise), DRAWS, 0.5)
    assert is_share(sum(n[4] for n in noise), DRAWS, 0.4)
    jpeg, webp = recorded["compress_jpeg"], recorded["compress_webp"]
    assert len(jpeg) + len(webp) == DRAWS
    assert has_range([call[1] for call in jpeg], 30, 95)
    # Additions to what is published.
    assert is_share(len(webp), DRAWS, stage.webp_probability)
    assert is_share(len(recorded["sharpen"]), DRAWS, stage.sharpen_probability)
    kinds = collections.Counter(call[2] for call in jpeg)
    assert set(kinds) == {"4:2:0", "4:2:2", "4:4:4"}
    for kind, share in zip(sorted(kinds), stage.chroma_420_422_444, strict=True):
        assert is_share(kinds[kind], len(jpeg), share)


def test_kernels_are_those_of_their_definitions():
    kernel = degrading.make_kernel(9, (0.9, 0.9), 0.0)
    line = degrading.make_gaussian(9, 0.9)
    np.testing.assert_allclose(kernel, np.outer(line, line), atol=1e-6)
    # At a distance of one standard deviation along the longer axis, which points down.
    kernel = degrading.make_kernel(13, (4, 1), math.pi / 2, beta=2)
    assert kernel[10, 2] / kernel[6, 2] == pytest.approx(math.exp(-1 / 2))
    kernel = degrading.make_kernel(13, (4, 1), math.pi / 2, beta=2, is_plateau=True)
    assert kernel[10, 6] / kernel[6, 6] == pytest.approx(1 / 2)
    for each in (kernel, degrading.make_sinc(21, 2.0)):
        assert each.sum() == pytest.approx(1, abs=1e-5)
    passed = np.abs(np.fft.fft2(degrading.make_sinc(21, math.pi / 2), (64, 64)))[0]
    assert abs(passed[8] - 1) < 0.15 and passed[24] < 0.15  # pi / 4 and 3 pi / 4.


@pytest.mark.parametrize("quality", [1, 30, 75, 100])
@pytest.mark.parametrize("kind", degrading.SUBSAMPLINGS)
def test_jpeg_is_that_of_pillow(quality, kind):
    image = draw_picture(37, 45)
    stored = io.BytesIO()
    index = ("4:4:4", "4:2:2", "4:2:0").index(kind)
    Image.fromarray(image).save(stored, "JPEG", quality=quality, subsampling=index)
    expected = np.asarray(Image.open(stored))
    made = degrading.compress_jpeg(image, quality, kind)
    np.testing.assert_array_equal(made, expected)


def test_noise_has_the_strength_that_is_asked_for():
    image, random = np.full((200, 200, 3), 100, np.float32), np.random.default_rng(0)
    for is_poisson, deviation in ((False, 2), (True, 2 * math.sqrt(100))):
        made = degrading.add_noise(image, 2, random, is_poisson, is_grey=False)
        assert made.std() == pytest.approx(deviation, rel=0.02)
        grey = degrading.add_noise(image, 2, random, is_poisson, is_grey=True)
        assert grey.std() == pytest.approx(deviation, rel=0.02)
        np.testing.assert_array_equal(grey[..., 0], grey[..., 2])
        assert not np.array_equal(made[..., 0], made[..., 2])


def test_sharpening_makes_halos_on_both_sides_of_an_edge():
    image = np.full((20, 40, 3), 80, np.float32)
    image[:, 20:] = 160
    row = degrading.sharpen(image, 1.5, 1.0)[10, :, 0]
    assert row[19] < 75 and row[20] > 165
    np.testing.assert_allclose(row[[0, 39]], [80, 160], atol=1e-3)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_a_name_and_a_seed_make_one_lr_image(preset, scale):
    hr, degradation = draw_picture(67, 90), open_degradation(preset)
    lr = degradation.apply_to("a", hr, scale, 1)
    assert lr.shape == (67 // scale, 90 // scale, 3) and lr.dtype == np.uint8
    threads = cv2.getNumThreads()
    for count in (1, 4):
        cv2.setNumThreads(count)
        np.testing.assert_array_equal(lr, degradation.apply_to("a", hr, scale, 1))
    cv2.setNumThreads(threads)
    for name, seed in (("b", 1), ("a", 2)):
        assert not np.array_equal(lr, degradation.apply_to(name, hr, scale, seed))


def test_presets_are_in_the_order_of_their_names(tmp_path):
    hr = draw_picture(96, 128)
    errors = []
    for preset in ("photo_mild", "photo", "photo_strong"):
        made = [open_degradation(preset).apply_to(f"{i}", hr, 2, 0) for i in range(20)]
        errors.append(np.mean([np.abs(lr - make_lr(hr, 2).astype(int)) for lr in made]))
    assert errors == sorted(errors)


def test_the_patches_of_a_step_depend_on_the_seed_and_the_step_alone(tmp_path):
    write_pictures(tmp_path / "HR", [(80, 100), (90, 70), (60, 60)])
    one, two = (make_loader(tmp_path, "photo") for _ in range(2))
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        ahead = list(pool.map(one.batch, range(12)))
    for step in (11, 3, 700):  # Backwards, and as a resumed run.
        batch = ahead[step] if step < 12 else one.batch(step)
        again = two.batch(step)
        assert (batch.scale, batch.names) == (again.scale, again.names)
        np.testing.assert_array_equal(batch.lr, again.lr)
        np.testing.assert_array_equal(batch.hr, again.hr)
        share = two.batch(step, share=slice(1, 3))
        np.testing.assert_array_equal(share.lr, batch.lr[1:3])
        np.testing.assert_array_equal(share.hr, batch.hr[1:3])
        assert share.names == batch.names[1:3]
    other = make_loader(tmp_path, "photo", seed=4)
    assert not np.array_equal(other.batch(3, 2).lr, one.batch(3, 2).lr)


@pytest.mark.parametrize("is_clean", [True, False])
def test_patches_are_those_of_the_degraded_picture(tmp_path, monkeypatch, is_clean):
    # Each HR pixel says where it is.
    y, x = np.mgrid[:200, :240]
    hr = np.stack([y, x, (7 * y + 3 * x) % 200], -1).astype(np.uint8)
    (tmp_path / "HR").mkdir()
    Image.fromarray(hr).save(tmp_path / "HR" / "a.png")
    monkeypatch.setattr(paired, "TURNS", paired.TURNS[:1])
    monkeypatch.setattr(degradations, "INTERPOLATIONS", (cv2.INTER_AREA,) * 3)
    blurred = {"blur_probability": 1, "sinc_probability": 0, "sigma": [3, 3]}
    blurred |= {"kernels": [1, 0, 0, 0, 0, 0], "kernel_size": [21, 21]}
    path = write_quiet(tmp_path, int(is_clean), **blurred)
    loader = make_loader(tmp_path, path)
    for scale in (2, 4):
        whole = open_degradation(path).apply_to("a", hr, scale, 0).astype(int)
        if is_clean:
            np.testing.assert_array_equal(whole, make_lr(hr, scale))
        for step in range(20):
            batch = loader.batch(step, scale)
            for lr, place in zip(batch.lr, batch.hr[:, 0, 0], strict=True):
                top, left = place[0] // scale, place[1] // scale
                expected = whole[top : top + 6, left : left + 6]
                assert np.abs(lr - expected).max() <= (0 if is_clean else 1)


def test_the_grid_of_a_jpeg_falls_anywhere_and_borders_stay_away(tmp_path):
    write_pictures(tmp_path / "HR", [(200, 220), (30, 40)])
    loader = make_loader(tmp_path, write_quiet(tmp_path), scales=(2,))
    phases, random = set(), np.random.default_rng(0)
    for number in range(40):
        region = loader.regions.region(2, 0, number)
        size = loader.images[region.index].hr_size
        for axis, (first, count) in enumerate(region.starts):
            start = (region.top, region.left)[axis]
            end, side = start + region.lr.shape[axis], size[axis] // 2
            assert count >= 16 or region.lr.shape[axis] == side
            assert first == (0 if start == 0 else degraded.MARGIN)
            last = first + count - 1 + 6
            assert end - start - last == (0 if end == side else degraded.MARGIN)
        _, top, left, lr = loader.regions.cut(2, 0, number, random.random(2))
        assert lr.shape == (6, 6, 3)
        phases.add((top - region.top) % 8)
    assert phases == set(range(8))


def test_each_region_is_used_as_often_as_asked(tmp_path):
    write_pictures(tmp_path / "HR", [(40, 40)])
    path = write_quiet(tmp_path)
    for uses in (1, 4):
        loader = make_loader(tmp_path, path, degradation_uses=uses)
        for step in range(800):
            loader.batch(step)
        made = loader.regions.region.cache_info().misses
        # The windows of the two scales are full before the first step.
        assert made <= 800 * 4 / uses + 2 * 4 * degraded.WINDOW
        # A share of the regions, exp(-uses), is never drawn.
        assert made > 0.9 * (1 - math.exp(-uses)) * 800 * 4 / uses


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not a JSON file"),
        (b"\xff", "not a JSON file"),
        ("[1]", "expected a JSON object"),
        ('{"frist": {}}', "frist is unknown; expected some of first, second"),
        ('{"first": {"blurr": 1}}', "first.blurr is unknown; expected some of blur_"),
        ('{"first": 3}', "first is 3; expected an object with some of blur_"),
        ('{"first": {"quality": [30, 195]}}', "[30, 195]; expected two whole numbers"),
        ('{"first": {"quality": [30.5, 95]}}', "first.quality is [30.5, 95]"),
        ('{"second": {"sigma": [3, 1]}}', "ascending order from 0.1 to 20"),
        ('{"second": {"sigma": "wide"}}', 'second.sigma is "wide"; expected two'),
        ('{"clean_probability": 2}', "is 2; expected a number from 0 to 1"),
        ('{"clean_probability": NaN}', "is NaN; expected a number from 0 to 1"),
        ('{"clean_probability": true}', "is true; expected a number from 0 to 1"),
        ('{"first": {"kernels": [1, 1]}}', "6 numbers from 0 to 1 that add up to 1"),
        ('{"first": {"chroma_420_422_444": [0.3334, 0.333, 0.333]}}', "add up to 1"),
        (f'{{"clean_probability": 1{400 * "0"}}}', "expected a number from 0 to 1"),
        (100_000 * "[", "not a JSON file"),
    ],
)
def test_a_bad_file_gets_a_clear_line(tmp_path, text, said):
    path = tmp_path / "mine.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError) as raised:
        load_strength(str(path))
    line = str(raised.value)
    assert line.startswith(f"--degradation={path}: ") and said in line
    assert "\n" not in line


def test_even_sizes_of_kernels_become_odd(tmp_path, recorded):
    path = write_json(tmp_path, first={"kernel_size": [8, 10]})
    random = np.random.default_rng(0)
    for _ in range(100):
        degradations.draw_kernel(load_strength(path).first, random)
    sizes = {call[0] for calls in recorded.values() for call in calls}
    assert sizes == {7, 9}


def test_a_file_gives_what_differs_and_all_values_are_printed(tmp_path, capsys):
    path = write_json(tmp_path, second={"quality": [5, 9]})
    strength, photo = load_strength(path), load_strength("photo")
    assert strength.second.quality == (5, 9)
    assert strength.first == photo.first
    assert '"quality": [5, 9], "chroma' in capsys.readouterr().out
    load_strength(path)
    assert capsys.readouterr().out == ""
    assert Degradation(strength).strength.to_json()["second"]["quality"] == [5, 9]
    for name, said in (("foto", "expected bicubic, photo,"), ("no.json", "be read")):
        with pytest.raises(InputError, match=said):
            load_strength(name)


def test_a_run_with_other_values_is_not_resumed(tmp_path):
    before, after = (
        {"degradation_values": load_strength(name).to_json()}
        for name in (write_json(tmp_path, clean_probability=0.5), "photo")
    )
    check_same_run("train", before, before, {})
    with pytest.raises(InputError, match=r"values\.clean_probability was 0\.5 and is"):
        check_same_run("train", before, after, {})


def test_fixed_lr_images_are_those_that_are_validated(tmp_path):
    write_pictures(tmp_path / "HR" / "deep", [(40, 50), (44, 60)])
    flags = [f"--input_path={tmp_path / 'HR'}", "--scales=2", "--num_processes=1"]
    flags += [f"--output_path={tmp_path / 'LR'}", "--degradation=photo"]
    script = "misc/downscale_generator.py"
    assert "Wrote 2" in succeed_here(script, *flags, "--seed=1")
    assert "Wrote 0, kept 2" in succeed_here(script, *flags, "--seed=1")
    assert "made by downscale_generator.py" in fail_here(script, *flags, "--seed=2")
    assert "--rounding=floor" in fail_here(script, *flags, "--rounding=ceil")
    assert "--seed needs" in fail_here(script, *flags[:-1], "--seed=2")
    loader = make_loader(tmp_path, "photo", scales=(2,), degradation_seed=1)
    assert loader.describe_degradation() == "photo, seed 1"
    for name, lr, hr in loader.pairs(2):
        made = load_image(tmp_path / "LR" / "x2" / f"{name}.png")
        np.testing.assert_array_equal(lr, made)
        assert hr.shape[0] // 2 == lr.shape[0]
    # Files are preferred for the validation of a training.
    files = loader.validating(loader.settings.truth_path, (str(tmp_path / "LR"),), 0)
    assert all(
        np.array_equal(a[1], b[1])
        for a, b in zip(files.pairs(2), loader.pairs(2), strict=True)
    )


def test_flags_that_would_have_no_effect_are_refused(tmp_path):
    write_pictures(tmp_path / "HR", [(40, 50)])
    flags = [f"--data_truth_path={tmp_path / 'HR'}", "--model=bicubic", "--scales=2"]
    line = fail_here("validate.py", *flags, "--degradation_seed=1")
    assert "--degradation_seed needs a --degradation" in line
    line = fail_here(
        "validate.py", *flags, "--degradation=photo", "--data_input_path=LR"
    )
    assert "leave out --data_input_path" in line
