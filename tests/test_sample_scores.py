"""Data sets in TID2013's layout, and the distortions in them."""

import json
from itertools import pairwise
from unittest import mock

import numpy as np
import pytest
from PIL import Image

from dataloaders import tid2013
from dataloaders.tid2013 import TID2013, TID2013Settings, to_distribution
from imaging.files import load_image, to_uint8
from metrics import psnr_rgb
from misc import distortions, sample_scores
from misc.distortions import DISTORTIONS
from misc.sample_scores import FEW
from tests.pictures import draw_picture, write_pictures
from tests.scripts import fail_here, succeed_here
from tests.shared_data import SHARED, needs_shared

SCRIPT = "misc/sample_scores.py"
LEVELS = range(1, 6)
SIZES = [(160, 176), (176, 160)]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The folder of a set made from two photographs, and what was said."""
    folder = tmp_path_factory.mktemp("made")
    photographs = write_pictures(folder / "in", SIZES)
    flags = (f"--input_path={photographs}", f"--output_path={folder / 'out'}")
    return folder / "out", succeed_here(SCRIPT, *flags), flags


def load_level(folder, reference, distortion, level):
    name = f"i{reference:02d}_{distortion:02d}_{level}.bmp"
    return load_image(folder / "distorted_images" / name).astype(float)


def test_the_set_is_read_as_tid2013_with_every_image_and_photographs_apart(made):
    folder, said, _ = made
    assert "Wrote 50 images, 25 of each photograph" in said
    assert "--tid2013_validate_range=0,25 --tid2013_train_range=25,0" in said
    loader = TID2013(
        TID2013Settings("25,0", "0,25", 32, image_path=folder / "distorted_images")
    )
    loader.prepare()
    assert loader.count() == {"train": 25, "validate": 25}
    references = {
        part: {row.name[:3] for row in rows} for part, rows in loader.parts.items()
    }
    assert references == {"train": {"i02"}, "validate": {"i01"}}
    groups = {row.group for row in loader.parts["train"]}
    assert groups == {f"{n:02d} {tid2013.DISTORTIONS[n]}" for n in FEW}
    for row in loader.parts["validate"]:
        assert np.isfinite(row.distribution).all() and row.deviation == 0.6


def test_the_score_falls_from_level_to_level(made):
    lines = (made[0] / "mos_with_names.txt").read_text().splitlines()
    scores = dict(reversed(line.split()) for line in lines)
    for reference in (1, 2):
        for number in FEW:
            name = f"i{reference:02d}_{number:02d}"
            means = [float(scores[f"{name}_{level}.bmp"]) for level in LEVELS]
            assert all(first > second for first, second in pairwise(means))
            assert means[-1] > 0 and means[0] < 9


@pytest.mark.parametrize("number", sorted(FEW))
def test_each_level_is_further_from_the_photograph_than_the_one_before(made, number):
    for reference, size in enumerate(SIZES, 1):
        photograph = draw_picture(*size, reference - 1).astype(float)
        errors = [
            np.mean((load_level(made[0], reference, number, level) - photograph) ** 2)
            for level in LEVELS
        ]
        assert errors[0] > 0
        assert all(second > 1.1 * first for first, second in pairwise(errors))


def test_the_strengths_of_each_photograph_are_written_down(made):
    strengths = json.loads((made[0] / "distortions.json").read_text())
    assert list(strengths) == [tid2013.DISTORTIONS[n] for n in FEW]
    assert {len(levels) for of in strengths.values() for levels in of.values()} == {5}
    photograph = draw_picture(*SIZES[0], 0).astype(float)
    difference = load_level(made[0], 1, 1, 2) - photograph
    assert np.std(difference) == pytest.approx(
        strengths["Gaussian noise"]["0.png"][1], rel=0.05
    )


@pytest.fixture(scope="module")
def photograph():
    """Edges and texture, as the distortions that follow a picture need them."""
    noise = np.random.default_rng(0).normal(0, 5, (96, 128, 1))
    return to_uint8(draw_picture(96, 128, 0) * 0.6 + 50 + noise)


@pytest.mark.parametrize("number", sorted(DISTORTIONS))
def test_levels_have_their_psnr_or_are_further_from_the_photograph(photograph, number):
    made = DISTORTIONS[number]
    levels = [made.apply(photograph, level, (0, number, level)) for level in (1, 3, 5)]
    psnr = [psnr_rgb(image, photograph, shave=0) for image, _ in levels]
    strengths = [strength for _, strength in levels]
    for (image, strength), level in zip(levels, (1, 3, 5), strict=True):
        assert image.dtype == np.uint8 and image.shape == photograph.shape
        again, same = made.apply(photograph, level, (0, number, level))
        assert same == strength
        np.testing.assert_array_equal(again, image)
    if len(made.strengths) == 2:
        # Damage to JPEG does not grow evenly.
        assert number == 12 or strengths == sorted(strengths)
        assert psnr == pytest.approx([33, 27, 21], abs=9 if number == 12 else 3)
    elif number != 15:
        assert psnr == sorted(psnr, reverse=True) and psnr[0] < 45


@needs_shared
def test_tid2013s_own_noise_has_the_psnr_of_its_level():
    data = SHARED / "data" / "TID2013"
    reference = load_image(data / "reference_images" / "I01.BMP")
    theirs = load_image(data / "distorted_images" / "i01_01_5.bmp")
    ours, _ = DISTORTIONS[1].apply(reference, 5, (0,))
    assert psnr_rgb(ours, reference, shave=0) == pytest.approx(
        psnr_rgb(theirs, reference, shave=0), abs=0.1
    )
    whole = load_image(SHARED / "data" / "Kodak24" / "HR" / "01.png")
    np.testing.assert_array_equal(sample_scores.cut(whole, 1), reference)


def write_people(folder, references):
    """Scores of people that tell from which image they are."""
    names = [
        f"I{reference:02d}_{number:02d}_{level}.bmp"
        for reference in references
        for number in range(1, 25)
        for level in LEVELS
    ]
    means = [f"{index / 100:.5f} {name}" for index, name in enumerate(names)]
    (folder / "mos_with_names.txt").write_text("\n".join(means))
    (folder / "mos_std.txt").write_text("0.5\n" * len(names))
    return folder / "mos_with_names.txt"


def test_people_score_the_photographs_that_their_images_were_cut_from(tmp_path):
    write_pictures(tmp_path / "in", [(40, 48)])
    (tmp_path / "in" / "0.png").rename(tmp_path / "in" / "kodim02.png")
    path = write_people(tmp_path, (1, 2))
    flags = [f"--input_path={tmp_path / 'in'}", f"--output_path={tmp_path / 'out'}"]
    said = succeed_here(SCRIPT, *flags, f"--mos_path={path}", "--image_extension=png")
    assert "Wrote 115 images, 115 of each photograph" in said
    scores = (tmp_path / "out" / "mos_with_names.txt").read_text().splitlines()
    assert scores[0] == "1.20000 i02_01_1.png" and scores[-1] == "2.39000 i02_24_5.png"
    assert set((tmp_path / "out" / "mos_std.txt").read_text().split()) == {"0.50000"}
    (tmp_path / "in" / "kodim02.png").rename(tmp_path / "in" / "kodim03.png")
    line = fail_here(SCRIPT, *flags, f"--mos_path={path}")
    assert "kodim03.png: expected a name with the number" in line
    line = fail_here(SCRIPT, *flags, "--least_deviation=0.8")
    assert "--least_deviation needs --mos_path" in line
    assert sample_scores.read_people(path, 0.8)["i01_01_1"] == (0.0, 0.8)
    line = fail_here(SCRIPT, *flags, f"--mos_path={path}", "--restore_path=a.h5")
    assert "found both --mos_path and --restore_path" in line


def test_a_predictor_scores_whole_images(tmp_path, monkeypatch):
    monkeypatch.setattr(sample_scores, "make_predict", lambda network: network)
    network = lambda images: np.eye(10)[[images.shape[1] // 8]]  # noqa: E731
    opened = mock.Mock(**{"return_value.open.return_value.network": network})
    monkeypatch.setattr(sample_scores, "PredictorSettings", opened)
    score = sample_scores.make_judge("large.h5")
    assert score("i01_01_1", 0, np.zeros((40, 48, 3), np.uint8)) == (5.0, 0.0)
    assert opened.call_args.kwargs == {"restore_path": "large.h5"}


def test_equal_seeds_give_equal_images_and_others_other_noise(made, tmp_path):
    folder, _, (flag, _) = made
    for name, seed in (("same", 0), ("other", 1)):
        succeed_here(SCRIPT, flag, f"--output_path={tmp_path / name}", f"--seed={seed}")
    noise = [load_level(tmp_path / name, 1, 1, 3) for name in ("same", "other")]
    assert (noise[0] == load_level(folder, 1, 1, 3)).all()
    assert (noise[1] != noise[0]).any()


def test_large_photographs_are_brought_to_tid2013s_size_and_small_ones_stay():
    draw = np.random.default_rng(0)
    for size, expected in [
        ((600, 1000), (384, 512)),
        ((1000, 600), (512, 384)),
        ((384, 512), (384, 512)),
        ((400, 300), (400, 300)),
        ((500, 500), (384, 500)),
    ]:
        image = draw.integers(0, 256, (*size, 3), np.uint8)
        assert sample_scores.fit(image).shape == (*expected, 3), size


@pytest.mark.parametrize("size", [(80, 80), (8, 8)])
def test_the_share_of_blocks_is_exact_and_never_none(size):
    image = np.full((*size, 3), 128, np.uint8)
    for share in (0.02, 0.35):
        made = distortions.put_blocks(image, share, np.random.default_rng(0))
        count = max(1, round(share * max(1, size[0] // 32) ** 2))
        assert (made != image).any(axis=-1).sum() == count * min(32, size[0]) ** 2


def test_of_one_photograph_no_split_is_offered(tmp_path):
    (tmp_path / "in").mkdir()
    Image.fromarray(draw_picture(48, 40)).save(tmp_path / "in" / "a.png")
    flags = (f"--input_path={tmp_path / 'in'}", f"--output_path={tmp_path / 'out'}")
    said = succeed_here(SCRIPT, *flags)
    assert "Wrote 25 images" in said and "range" not in said


def test_the_scores_of_two_levels_are_told_apart_by_their_distributions():
    best, next_best = (
        to_distribution(mean, sample_scores.DEVIATION)
        for mean in sample_scores.MEANS[:2]
    )
    assert best.argmax() != next_best.argmax()
