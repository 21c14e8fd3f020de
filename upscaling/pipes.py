"""Enlarges pictures from the standard input to the standard output.

The input may be several PNG or PPM pictures behind one another, such as the frames of a
video from ffmpeg.
"""

import contextlib
import functools
import itertools
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from console.errors import InputError
from console.progress import say
from console.settings import is_given
from imaging import faults
from imaging.chunks import PNG_SIGNATURE, split_chunks
from imaging.decoding import opened as opened_picture
from imaging.kinds import KINDS, PLUGIN_KINDS
from imaging.limits import check_size
from imaging.pictures import load_picture
from imaging.saving import (
    check_alpha,
    find_obstacle,
    fit_frames,
    save_picture,
)
from upscaling.budget import Tiler
from upscaling.choosing import Enlargers
from upscaling.output import STANDARD, Output
from upscaling.run import Writer

# Flags about files, which a pipe does not have.
_OF_FILES = (
    *("suffix", "all_pages", "keep_times", "overwrite", "compare"),
    "skip_larger_than",
)
_ENDINGS = {kind.name: kind.endings[0] for kind in (*KINDS, *PLUGIN_KINDS)}
# The header of a binary PPM or PGM: width, height and the largest sample.
_PPM = re.compile(rb"(P[56])" + rb"(?:\s|#[^\n]*\n)+(\d+)" * 3 + rb"\s")
_LONGEST_HEADER = 4096
# The end of a JPEG, and the beginning of another.
_NEXT_JPEG = b"\xff\xd9\xff\xd8\xff"


def are_given(inputs: Sequence[Path | str], output: Output) -> bool:
    """Whether pictures come and go by the standard input and output.

    Raises:
        InputError: Only one of both is given, or another path or a flag besides.
    """
    has_input = STANDARD in map(str, inputs)
    if not has_input and str(output.path) != STANDARD:
        return False
    if len(inputs) != 1 or not has_input or str(output.path) != STANDARD:
        raise InputError(
            "--input_path=- and --output_path=- are given together and alone; < and > "
            "of the shell read and write files."
        )
    for flag in _OF_FILES:
        if is_given(flag):
            raise InputError(f"--{flag} is for files, not for pipes; leave it out.")
    return True


@contextlib.contextmanager
def opened() -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """Yields the standard input and output; messages go to the standard error."""
    for name, file in (("input", sys.stdin), ("output", sys.stdout)):
        if file is None or file.isatty():
            raise InputError(
                f"--{name}_path=-: the standard {name} is closed or a terminal; "
                "connect it with a file by < or >, or with a program by |."
            )
    files = sys.stdin.buffer, sys.stdout.buffer
    with contextlib.redirect_stdout(sys.stderr):
        yield files


def run(
    files: tuple[BinaryIO, BinaryIO],
    output: Output,
    way: str,
    enlargers: Enlargers,
    tiler: Tiler,
    looks_for_faults: bool = False,
) -> None:
    """Enlarges all pictures of the standard input, in order; see `opened`.

    `way` is how results are made: the weights and the flags. `looks_for_faults` is
    whether to say that the first picture looks degraded.

    Raises:
        InputError: A picture is damaged, or does not fit its format.
    """
    number = 0
    with (
        tempfile.TemporaryDirectory() as folder,
        # Messages name files by their relative paths.
        contextlib.chdir(folder),
        Writer() as writer,
    ):
        # Pictures are read in their turn: who sends them may wait for each result.
        for data in split(files[0]):
            number += 1
            source = Path(f"standard input, picture {number}")
            source.write_bytes(data)
            source = source.rename(source.with_suffix(_find_ending(source, data)))
            name = output.name(source, source.parent).name
            target = Path(name.replace("input", "output", 1))
            picture = fit_frames(target, load_picture(source), source)
            if looks_for_faults and number == 1:
                faults.tell({source: faults.find_faults(source, picture.pixels)})
            enlarger = enlargers.choose(picture.size)
            if output.background is None:
                check_alpha(target, picture, source)
            size = enlarger.find_size(picture.size)
            if obstacle := find_obstacle(target, picture, size):
                raise InputError(f"{source}: {obstacle}; use --output_format=png.")
            result = enlarger.enlarge(picture, tiler.tile(enlarger, picture, source))
            result = output.finish(result, target, way)
            write = functools.partial(
                _write, result, source, target, output.jpeg_quality, files[1]
            )
            # The later frames of an animation are enlarged while it is written.
            writer.put(write, picture.animation is None)
    if not number:
        raise InputError("the standard input is empty; expected a picture.")
    say(f"Upscaled {number} of {number} pictures {enlargers.describe()}.")


def _write(result, source, target, quality, file):
    save_picture(target, result, quality)
    with open(target, "rb") as written:
        shutil.copyfileobj(written, file)
    file.flush()
    for path in (source, target):
        path.unlink()


def _find_ending(path, data):
    """Returns the ending of a file of this format."""
    with opened_picture(path) as image:
        if image.format == "JPEG" and _NEXT_JPEG in data:
            raise InputError(
                f"{path}: several JPEG are behind one another; send PNG or PPM "
                "(ffmpeg: -c:v png)."
            )
        return _ENDINGS.get(image.format, ".jpg")  # An MPO is a JPEG.


def split(file: BinaryIO) -> Iterator[bytes]:
    """Yields the pictures of a stream: several PNG or binary PPM, or one of any kind.

    Args:
        file: The stream. Of each picture, nothing behind it is read.
    """
    while head := file.read(len(PNG_SIGNATURE)):
        if head == PNG_SIGNATURE:
            parts = itertools.chain.from_iterable(split_chunks(file))
            yield b"".join([head, *parts])
        elif head[:2] in (b"P5", b"P6"):
            while not (found := _PPM.fullmatch(head)) and len(head) < _LONGEST_HEADER:
                if not (byte := file.read(1)):
                    break
                head += byte
            yield head + (file.read(_count_bytes(found)) if found else b"")
        else:
            yield head + file.read()


def _count_bytes(header):
    """Counts the bytes of a PPM's samples."""
    width, height, most = (int(number) for number in header.groups()[1:])
    check_size("standard input", width, height)
    channels = 3 if header[1] == b"P6" else 1
    return width * height * channels * (2 if most > 255 else 1)
