"""Pictures from the standard input to the standard output."""

import io
import threading

import numpy as np
import pytest
from PIL import Image, ImageSequence

from imaging.imresize import imresize
from tests.pictures import draw_picture
from tests.scripts import fail_here, run_here
from upscaling import pipes


def encode(kind, pixels, **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def upscale(data, *flags):
    """Returns what is written, and the line that is said."""
    flags = ("--model=bicubic", "--scale=2", "--output_path=-", *flags)
    done = run_here("test.py", "--input_path=-", *flags, data=data)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr.strip()


def fail(data, *flags):
    flags = ("--model=bicubic", "--scale=2", "--output_path=-", *flags)
    done = run_here("test.py", "--input_path=-", *flags, data=data)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert done.stderr.startswith("Error: ")
    return done.stdout, done.stderr


def test_a_picture_comes_out_in_the_format_that_came_in_and_nothing_else():
    pixels = draw_picture(12, 15)
    written, said = upscale(encode("PNG", pixels))
    result = Image.open(io.BytesIO(written))
    assert result.format == "PNG" and written.endswith(b"IEND\xaeB`\x82")
    np.testing.assert_array_equal(np.asarray(result), imresize(pixels, 2))
    assert said == "Upscaled 1 of 1 pictures by 2."
    for kind in ("JPEG", "WEBP", "TIFF"):
        written, _ = upscale(encode(kind, pixels))
        assert Image.open(io.BytesIO(written)).format == kind
    written, _ = upscale(encode("PNG", pixels), "--output_format=jpg")
    assert Image.open(io.BytesIO(written)).format == "JPEG"


@pytest.mark.parametrize("kind", ["PNG", "PPM"])
def test_frames_of_a_video_come_out_in_order(kind):
    frames = [draw_picture(8, 10, seed) for seed in range(4)]
    written, said = upscale(b"".join(encode(kind, frame) for frame in frames))
    assert said.startswith("Upscaled 4 of 4 pictures")
    results = list(pipes.split(io.BytesIO(written)))
    assert len(results) == 4
    for frame, result in zip(frames, results, strict=True):
        np.testing.assert_array_equal(
            np.asarray(Image.open(io.BytesIO(result))), imresize(frame, 2)
        )


def test_a_stream_is_split_where_a_picture_ends():
    grey = draw_picture(3, 4)[..., 0]
    pieces = [
        encode("PNG", draw_picture(5, 4)),
        b"P6 # a comment\n2 1\n# another\n255\n" + bytes(range(6)),
        b"P5\n2 2\n65535\n" + bytes(8),
        encode("PPM", grey),
        encode("BMP", grey),
    ]
    assert list(pipes.split(io.BytesIO(b"".join(pieces)))) == pieces
    assert list(pipes.split(io.BytesIO(pieces[0][:-20]))) == [pieces[0][:-20]]
    assert list(pipes.split(io.BytesIO(b"P6\n9 9"))) == [b"P6\n9 9"]


def test_a_result_does_not_wait_for_the_next_picture():
    piece = encode("PNG", draw_picture(5, 4))

    class Input(io.BytesIO):
        def read(self, size=-1):
            if self.tell() >= len(piece):
                assert came.wait(20)
            return super().read(size)

    came, file = threading.Event(), Input(piece)
    stream = pipes.split(file)
    assert next(stream) == piece
    came.set()
    assert list(stream) == []


def test_an_animation_is_one_picture():
    frames = [Image.fromarray(draw_picture(8, 10, seed)) for seed in range(3)]
    file = io.BytesIO()
    frames[0].save(file, "PNG", save_all=True, append_images=frames[1:], duration=50)
    written, _ = upscale(file.getvalue())
    result = Image.open(io.BytesIO(written))
    assert [frame.size for frame in ImageSequence.Iterator(result)] == [(20, 16)] * 3
    _, said = upscale(file.getvalue(), "--output_format=bmp")
    assert said.startswith("Warning: standard input, picture 1.png has 3 frames; BMP")
    _, said = upscale(file.getvalue(), "--output_format=gif", "--mark")
    assert said.startswith("Warning: standard output, picture 1.gif: GIF does not hold")


def test_a_mistake_is_one_line():
    good = encode("PNG", draw_picture(8, 10))
    assert "the standard input is empty" in fail(b"")[1]
    written, said = fail(good + good[:-30])
    assert "standard input, picture 2.png: is truncated or damaged" in said
    assert len(list(pipes.split(io.BytesIO(written)))) == 1
    assert "standard input, picture 1: is not an image" in fail(b"no picture")[1]
    several = encode("JPEG", draw_picture(8, 10)) * 2
    assert "several JPEG" in fail(several)[1]
    assert "--suffix is for files" in fail(good, "--suffix=_x")[1]
    assert "--all_pages is for files" in fail(good, "--all_pages")[1]
    clear = encode("PNG", np.zeros((4, 4, 4), np.uint8))
    assert "use --background=white" in fail(clear, "--output_format=jpg")[1]
    upscale(clear, "--output_format=jpg", "--background=white")


def test_standard_input_and_output_go_together(tmp_path):
    for flags in (
        ["--input_path=-", f"--output_path={tmp_path}"],
        [f"--input_path={tmp_path}", "--output_path=-"],
        ["--input_path=-", "a.png", "--output_path=-"],
    ):
        assert "are given together" in fail_here("test.py", *flags)
