import numpy as np
import pytest

from imaging.imresize import imresize
from reports import comparing
from reports.comparing import (
    FONT_SIZE,
    GAP,
    LINE,
    PAPER,
    draw_comparison,
    draw_side_by_side,
)
from tests.pictures import draw_picture


def cut_cell(sheet, row, column, side):
    """The crop in one cell of the sheet."""
    top = GAP + row * (2 * LINE + side + GAP) + 2 * LINE
    left = GAP + column * (side + GAP)
    return sheet[top : top + side, left : left + side]


def draw_pair(scale, size=(60, 80)):
    """An input, and bicubic's enlargement with one square that differs."""
    lr = draw_picture(*size)
    sr = imresize(lr, scale)
    sr[96:144, 120:168] ^= 96
    return lr, sr


def test_the_crops_are_the_input_bicubic_and_ours_where_they_differ():
    lr, sr = draw_pair(4)
    sheet = draw_comparison(lr, sr, 4, side=48, count=1)
    assert sheet.dtype == np.uint8
    zoom = 6  # The largest that makes 48 pixels no more than 288.
    expected = [
        lr[24:36, 30:42].repeat(4 * zoom, 0).repeat(4 * zoom, 1),
        imresize(lr, 4)[96:144, 120:168].repeat(zoom, 0).repeat(zoom, 1),
        sr[96:144, 120:168].repeat(zoom, 0).repeat(zoom, 1),
    ]
    for column, crop in enumerate(expected):
        np.testing.assert_array_equal(cut_cell(sheet, 0, column, 288), crop)


@pytest.mark.parametrize("scale", [1.5, 2.7, 3])
def test_any_scale_is_compared_with_bicubic_of_this_scale(scale):
    lr, sr = draw_pair(scale, (112, 128))
    sheet = draw_comparison(lr, sr, scale, side=48, count=1)
    bicubic = imresize(lr, scale)[96:144, 120:168]
    shown = cut_cell(sheet, 0, 1, 288)
    np.testing.assert_array_equal(shown, bicubic.repeat(6, 0).repeat(6, 1))
    # The middle of the crop, in the input's pixels.
    y, x = int((96 + 24 + 1 / 12) / scale), int((120 + 24 + 1 / 12) / scale)
    np.testing.assert_array_equal(cut_cell(sheet, 0, 0, 288)[144, 144], lr[y, x])


def test_each_crop_is_labelled_and_each_place_has_a_row():
    lr, sr = draw_pair(4)
    sr[0:48, 0:48] ^= 32
    sheet = draw_comparison(lr, sr, 4, side=48, count=2)
    assert sheet.shape[0] == 2 * (2 * LINE + 288 + GAP) + GAP
    for row in range(2):
        for column in range(3):
            top = GAP + row * (2 * LINE + 288 + GAP) + LINE
            left = GAP + column * (288 + GAP)
            label = sheet[top : top + FONT_SIZE, left : left + 60]
            assert (label != PAPER).any() and (label == PAPER).any()


def test_rows_without_text_have_one_line_less_and_labels_have_room():
    crops = [draw_picture(120, 120, seed) for seed in range(3)]
    sheet = draw_side_by_side(
        [("", {"a": crops[0], "b": crops[1]}), ("c", {"": crops[2]})]
    )
    first, second = LINE + 240 + GAP, 2 * LINE + 240 + GAP
    assert sheet.shape == (first + second + GAP, 2 * (240 + GAP) + GAP, 3)
    tops = (GAP + LINE, GAP + LINE, GAP + first + 2 * LINE)
    lefts = (GAP, GAP + 240 + GAP, GAP)
    for crop, top, left in zip(crops, tops, lefts, strict=True):
        shown = sheet[top : top + 240, left : left + 240]
        np.testing.assert_array_equal(shown, crop.repeat(2, 0).repeat(2, 1))
    longer = "a label that is longer than its crop is wide, by far"
    assert draw_side_by_side([("", {longer: crops[0]})]).shape[1] > 240 + 2 * GAP


@pytest.mark.parametrize("size", [(1, 1), (3, 40), (40, 2)])
def test_the_smallest_pictures_are_compared_too(size):
    lr = draw_picture(*size)
    sheet = draw_comparison(lr, imresize(lr, 2), 2)
    assert sheet.ndim == 3 and sheet.shape[2] == 3


def test_bicubic_is_never_made_of_more_than_some_rows(monkeypatch):
    lr = draw_picture(300, 40)
    made = []
    true_part = comparing.imresize_part

    def count_pixels(*arguments):
        part = true_part(*arguments)
        made.append(part.shape[0])
        return part

    monkeypatch.setattr(comparing, "imresize_part", count_pixels)
    draw_comparison(lr, imresize(lr, 4), 4)
    assert sum(made) >= 1200 and max(made) <= 128
