import json
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from dataloaders.tid2013 import TID2013, TID2013Settings, to_distribution
from imaging.files import load_image
from misc import sample_scores
from tests.pictures import draw_picture, write_pictures
from tests.scripts import succeed_here

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
    named = {f"{n:02d} {name}" for n, (name, _, _) in sample_scores.DISTORTIONS.items()}
    assert groups == named
    for row in loader.parts["validate"]:
        assert np.isfinite(row.distribution).all() and row.deviation == 0.6


def test_the_score_falls_from_level_to_level(made):
    lines = (made[0] / "mos_with_names.txt").read_text().splitlines()
    scores = dict(reversed(line.split()) for line in lines)
    for reference in (1, 2):
        for number in sample_scores.DISTORTIONS:
            name = f"i{reference:02d}_{number:02d}"
            means = [float(scores[f"{name}_{level}.bmp"]) for level in LEVELS]
            assert all(first > second for first, second in pairwise(means))
            assert means[-1] > 0 and means[0] < 9


@pytest.mark.parametrize("number", sorted(sample_scores.DISTORTIONS))
def test_each_level_is_further_from_the_photograph_than_the_one_before(made, number):
    for reference, size in enumerate(SIZES, 1):
        photograph = draw_picture(*size, reference - 1).astype(float)
        errors = [
            np.mean((load_level(made[0], reference, number, level) - photograph) ** 2)
            for level in LEVELS
        ]
        assert errors[0] > 0
        assert all(second > 1.1 * first for first, second in pairwise(errors))


def test_the_noise_has_the_strength_that_the_file_beside_it_says(made):
    strengths = json.loads((made[0] / "distortions.json").read_text())
    assert {len(levels) for levels in strengths.values()} == {5}
    assert len(strengths) == len(sample_scores.DISTORTIONS)
    photograph = draw_picture(*SIZES[0], 0).astype(float)
    difference = load_level(made[0], 1, 1, 2) - photograph
    assert np.std(difference) == pytest.approx(strengths["Gaussian noise"][1], rel=0.05)
    flat = np.full((32, 32, 3), 227, np.uint8)
    share = strengths["contrast change"][2]
    lost = sample_scores.lose_contrast(flat, share, None)
    assert lost[0, 0, 0] == round(127.5 + share * 99.5)


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


@pytest.mark.parametrize("size", [(40, 40), (8, 8)])
def test_the_share_of_blocks_is_exact_and_never_none(size):
    image = np.zeros((*size, 3), np.uint8)
    for share, expected in (
        (0.02, 1),
        (0.35, max(1, round(0.35 * (size[0] // 16) ** 2))),
    ):
        draw = np.random.default_rng(0)
        made = sample_scores.put_blocks(image, share, draw).any(axis=-1)
        assert made.sum() == expected * min(16, size[0]) ** 2


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
