"""A measurement that was never made, for tests of reports."""

import html.parser
import json

import numpy as np
import pytest

from reports.gallery import Gallery

# Names as files may have them, and what breaks pages that do not expect them.
NAMES = [
    "image10",
    "image2",
    '</script><b>"bold"</b>',
    "it's & <!-- ü 文",
    "nothing",
    "equal",
]
# So that it can be seen which of the pictures is shown where.
COLOURS = {"bicubic": (200, 0, 0), "eusr": (0, 160, 0), "truth": (0, 0, 220)}


class Reader(html.parser.HTMLParser):
    """What elements and attributes a page has before it is drawn, and its data."""

    def __init__(self, page):
        super().__init__()
        self.elements, self.attributes, self.data = [], [], None
        self.feed(page.decode())

    def handle_starttag(self, tag, attributes):
        self.elements.append(tag)
        self.attributes += attributes

    def handle_data(self, text):
        if self.elements[-1:] == ["script"] and self.data is None:
            self.data = json.loads(text, parse_constant=pytest.fail)


def make_values(index, gain=0.0):
    """The values of one image: a whole number of dB, NIQE between 5 and 6."""
    psnr_y = 20.0 + index + gain
    mse_y = 255.0**2 / 10 ** (psnr_y / 10)
    return {
        "psnr_rgb": psnr_y - 1.5,
        "rmse_rgb": mse_y**0.5 + 1,
        "psnr_y": psnr_y,
        "ssim_y": 0.5 + index / 100,
        "mse_y": mse_y,
        "niqe": 5.0 + (index * 7 % 10) / 10,
        "rmse_y": mse_y**0.5,
    }


def make_report(names=NAMES, scales=(2, 4), truth_path="photos/HR", shave=4):
    """A report as `validate.py` makes it, of eusr at some scales.

    The image `nothing` has no NIQE, and the PSNR of `equal` is infinite.
    """
    report = {"model": "eusr", "step": 4, "shave_size": shave, "precision": "float32"}
    report |= {"restore_path": "train", "data_truth_path": truth_path}
    report |= {"data_sr_path": None, "naturalness": None, "exact_path": None}
    report |= {
        "data_input_path": None,
        "degradation": None,
        "images": len(names),
        "scales": {},
    }
    for scale in scales:
        measured, bicubic = (_make_images(names, gain) for gain in (0.5, 0.0))
        report["scales"][str(scale)] = measured | {"bicubic": bicubic}
    return report


def _make_images(names, gain):
    images = {name: make_values(index, gain) for index, name in enumerate(names)}
    if "nothing" in images:
        images["nothing"]["niqe"] = float("nan")
    if "equal" in images:
        images["equal"]["psnr_y"] = float("inf")
    return {"average": make_values(3, gain), "images": images}


def fill_gallery(report, count=4, room=1_000_000):
    """What is shown of a report: pictures of one colour each."""
    gallery = Gallery(count, room, report["shave_size"])
    for scale, measured in report["scales"].items():
        for name, values in measured["images"].items():
            pictures = {
                key: np.full((60, 80, 3), colour, np.uint8)
                for key, colour in COLOURS.items()
            }
            hr = pictures.pop("truth")
            gallery.offer(int(scale), name, values["psnr_y"], pictures, hr)
    return gallery
