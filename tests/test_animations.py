"""Animations: what test.py makes of them, as Pillow reads it."""

import dataclasses
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from console.errors import InputError
from imaging import animations, png_16bit
from imaging.animations import count_frames, load_animation
from imaging.chunks import make_chunk
from imaging.colour_profiles import make_profile
from imaging.metadata import Metadata
from imaging.pictures import load_picture
from imaging.saving import save_picture
from tests.pictures import draw_picture
from tests.scripts import run_here, succeed_here

TIMES = [100, 250, 40, 100]


def draw_frames(has_alpha=False):
    """A square that moves over a gradient, or over nothing: each (20, 24, 3 or 4)."""
    y, x = np.mgrid[:20, :24]
    for place in (2, 5, 5, 11):
        frame = np.stack([x * 9, y * 12, x + y, np.full_like(x, 255)], -1)
        frame[..., 3] = 0 if has_alpha else 255
        frame[6:13, place : place + 8] = (200, 30, 60, 255)
        yield frame.astype(np.uint8)[..., : 3 + has_alpha]


def write(path, has_alpha=False, times=TIMES, loop=0, **options):
    first, *later = map(Image.fromarray, draw_frames(has_alpha))
    loop = {} if loop is None else {"loop": loop}
    options = {"append_images": later, "duration": times, **loop, **options}
    first.save(path, save_all=True, **options)


def read(path):
    with Image.open(path) as image:
        frames, times = [], []
        for index in range(image.n_frames):
            image.seek(index)
            frames.append(np.asarray(image.convert("RGBA")).astype(int))
            times.append(image.info["duration"])
        return frames, times, image.info.get("loop")


def upscale(source, target, *flags, command=succeed_here):
    flags = (f"--input_path={source}", f"--output_path={target}", *flags)
    return command("test.py", "--model=bicubic", "--scale=2", *flags)


def repeat(frame):
    return np.repeat(np.repeat(frame, 2, 0), 2, 1)


@pytest.mark.parametrize("has_alpha", [False, True])
@pytest.mark.parametrize("output", ["same", "gif", "png", "webp"])
@pytest.mark.parametrize("source", ["a.gif", "a.png", "a.webp"])
def test_an_animation_stays_one(tmp_path, source, output, has_alpha):
    disposal = {"disposal": 2} if source == "a.gif" and has_alpha else {}
    lossless = {"lossless": True} if source == "a.webp" else {}
    write(tmp_path / source, has_alpha, **disposal, **lossless)
    upscale(tmp_path / source, tmp_path / "SR", f"--output_format={output}")
    (result,) = (tmp_path / "SR").glob("a.*")
    assert result.suffix == (f".{output}" if output != "same" else source[1:])
    frames, times, loop = read(result)
    assert loop == 0 and sum(times) == sum(TIMES)
    # Pillow's writers join equal frames.
    assert len(frames) >= 3
    shown = [
        frame
        for frame, time in zip(frames, times, strict=True)
        for _ in range(0, int(time), 10)
    ]
    drawn = zip(draw_frames(has_alpha), TIMES, strict=True)
    expected = [frame for frame, time in drawn for _ in range(0, time, 10)]
    for one, other in zip(shown, expected, strict=True):
        assert one.shape == (40, 48, 4)
        alpha = repeat(other[..., 3]) if has_alpha else np.full((40, 48), 255)
        assert (np.abs(one[..., 3] - alpha) > 64).mean() < 0.05
        error = np.abs(one[..., :3] - repeat(other[..., :3]))[alpha > 0]
        assert error.mean() < 9


@pytest.mark.parametrize("loop", [None, 0, 3])
def test_it_is_played_as_often_as_before(tmp_path, loop):
    write(tmp_path / "a.gif", loop=loop)
    upscale(tmp_path / "a.gif", tmp_path / "SR")
    assert read(tmp_path / "SR" / "a.gif")[2] == loop
    upscale(tmp_path / "a.gif", tmp_path / "a.webp")
    # A GIF counts repetitions, the others how often it is played in all.
    expected = {None: 1, 0: 0, 3: 4}[loop]
    assert read(tmp_path / "a.webp")[2] == expected
    assert load_animation(tmp_path / "a.webp")[1].plays == expected


def test_times_of_a_gif_do_not_drift(tmp_path):
    write(tmp_path / "a.png", times=[33.4] * 4)
    upscale(tmp_path / "a.png", tmp_path / "a.gif")
    assert read(tmp_path / "a.gif")[1] == [30, 70, 30]


def test_a_format_without_frames_holds_the_first_and_says_so(tmp_path):
    write(tmp_path / "a.gif")
    done = upscale(tmp_path / "a.gif", tmp_path / "a.jpg", command=run_here)
    assert done.returncode == 0 and len(done.stderr.splitlines()) == 1
    assert "a.gif has 3 frames; JPEG holds one, so only the first" in done.stderr
    assert Image.open(tmp_path / "a.jpg").size == (48, 40)


def test_a_gif_without_motion_becomes_a_png_of_all_colours(tmp_path):
    first = next(draw_frames())
    Image.fromarray(first).save(tmp_path / "a.gif")
    upscale(tmp_path / "a.gif", tmp_path / "SR")
    assert Image.open(tmp_path / "SR" / "a.png").mode == "RGB"
    upscale(tmp_path / "SR" / "a.png", tmp_path / "b.gif")
    image = Image.open(tmp_path / "b.gif")
    assert image.format == "GIF" and image.size == (96, 80)


def test_what_old_programs_show_of_a_png_is_no_frame(tmp_path):
    write(tmp_path / "a.png", default_image=True, times=TIMES[1:])
    assert count_frames(tmp_path / "a.png") == 2  # Pillow joined equal frames.
    first, animation = load_animation(tmp_path / "a.png")
    np.testing.assert_array_equal(first, list(draw_frames())[1])
    assert animation.durations == (290, 100)


def test_frames_are_read_and_written_one_by_one(tmp_path, monkeypatch):
    write(tmp_path / "a.png")
    picture, events = load_picture(tmp_path / "a.png"), []
    later = list(picture.animation.read())

    def read_later():
        for frame in later:
            events.append("read")
            yield frame

    def make_chunk(kind, data):
        if kind == b"fcTL":
            events.append("write")
        return make(kind, data)

    make = animations.make_chunk
    monkeypatch.setattr(animations, "make_chunk", make_chunk)
    animation = dataclasses.replace(picture.animation, read=read_later)
    picture = dataclasses.replace(picture, animation=animation)
    save_picture(tmp_path / "b.png", picture)
    assert events == ["write", *["read", "write"] * len(later)]
    assert load_animation(tmp_path / "b.png")[1].durations == animation.durations


def test_a_damaged_animation_is_left_out(tmp_path):
    write(tmp_path / "a.gif")
    data = (tmp_path / "a.gif").read_bytes()
    (tmp_path / "a.gif").write_bytes(data[: len(data) * 4 // 5])
    done = upscale(tmp_path / "a.gif", tmp_path / "SR", command=run_here)
    assert done.returncode == 1
    assert "a.gif: is truncated or damaged" in done.stderr
    assert not list((tmp_path / "SR").glob("a.*"))


def test_a_frame_larger_than_the_picture_is_cut(tmp_path):
    write(tmp_path / "a.gif")
    data = bytearray((tmp_path / "a.gif").read_bytes())
    place = data.rindex(struct.pack("<4H", 0, 2, 24, 18))
    for name, box in (("a", (10, 10, 24, 18)), ("b", (0, 0, 65_535, 65_535))):
        struct.pack_into("<4H", data, place, *box)
        (tmp_path / f"{name}.gif").write_bytes(data)
    sizes = [f.shape[:2] for f in load_picture(tmp_path / "a.gif").animation.read()]
    assert sizes == [(20, 24)] * 2
    with pytest.raises(InputError, match="has too many pixels, more than 1,000,000"):
        load_picture(tmp_path / "b.gif")


def test_grey_frames_of_16_bits_keep_their_tones(tmp_path, capsys):
    deep = draw_picture(9, 12)[..., :1].astype(np.uint16) * 257
    path, profile = (
        tmp_path / "a.png",
        make_profile({b"gAMA": (100_000).to_bytes(4)}, 1),
    )
    control = struct.pack(">II", 2, 0)
    times = [struct.pack(">5I2H2B", n, 12, 9, 0, 0, 1, 10, 0, 0) for n in range(2)]
    with open(path, "wb") as file:
        metadata = Metadata(profile, chunks=((b"acTL", control), (b"fcTL", times[0])))
        png_16bit.write(file, deep, metadata)
        file.seek(-12, 2)
        pixels = zlib.compress(
            b"".join(b"\0" + r.tobytes() for r in deep.astype(">u2"))
        )
        file.write(make_chunk(b"fcTL", times[1]))
        file.write(make_chunk(b"fdAT", (2).to_bytes(4) + pixels))
        file.write(make_chunk(b"IEND", b""))
    picture = load_picture(path)
    (later,) = picture.animation.read()
    for frame in (picture.pixels, later):
        np.testing.assert_array_equal(frame * np.uint16(257), np.repeat(deep, 3, -1))
    assert picture.metadata.icc_profile[16:20] == b"RGB "
    assert "16 bits per channel, reduced to 8" in capsys.readouterr().err
