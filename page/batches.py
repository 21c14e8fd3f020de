"""Enlarges the pictures of one user of a page, in turn with those of other users."""

import contextlib
import dataclasses
import errno
import os
import re
import shutil
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from console.errors import InputError
from console.progress import Progress, to_clock, to_line, warn, warnings_heard
from imaging import limits
from imaging.decoding import decode, opened
from imaging.files import to_rgb
from imaging.kinds import RESULT_ENDINGS
from imaging.saving import save_preview
from page.sessions import Session, Turns, to_plain_name
from upscaling.budget import Tiler
from upscaling.choosing import Enlargers
from upscaling.jobs import Jobs
from upscaling.output import Output
from upscaling.results import Results
from upscaling.run import Run


@dataclasses.dataclass(frozen=True)
class Upload:
    """A picture that a user sent, its name, and the original to compare with."""

    path: Path
    name: str
    truth: Path | None = None


@dataclasses.dataclass(frozen=True)
class Work:
    """What is done with pictures.

    Attributes:
        open_enlargers: Opens the model; called when it is the user's turn.
        make_tiler: Makes the `Tiler` of a picture, by the memory that is free then.
        measure: From an upload and the uint8 (H, W, 3) of the picture and of its
            result to texts for the user.
    """

    open_enlargers: Callable[[], Enlargers]
    make_tiler: Callable[[], Tiler]
    measure: Callable[[Upload, np.ndarray, np.ndarray], list[str]]


class _Stopped(Exception):
    """The user stopped the work, or is gone."""


class _Watched(Progress):
    """Progress that ends the work once its user has stopped it."""

    def __init__(self, total, check):
        super().__init__(total, "Upscaling", "pixel", in_millions=True)
        self.check = check

    def advance(self, count=1):
        super().advance(count)
        self.check()


class Batch:
    """The pictures that a user sent together.

    Attributes:
        error: Why nothing more is done; None as long as all is well.
        results: Of each picture that is done what the page shows, for JSON.
    """

    def __init__(
        self, session: Session, turns: Turns, uploads: Sequence[Upload], work: Work
    ):
        self.session, self.turns, self.work = session, turns, work
        self.uploads = uploads
        self.error: str | None = None
        self.results: list[dict[str, Any]] = []
        self._line, self._progress = "Waiting", None

    def describe(self) -> tuple[str, float | None]:
        """Returns a line on what goes on, and the share that is done if it is known."""
        progress = self._progress
        if self.error is not None or progress is None:
            return self.error or self._line, None
        share = progress.done / max(1, progress.total)
        left = progress.find_left()
        more = f", {to_clock(left)} left" if 0 < left < float("inf") else ""
        return f"{self._line}{more}", min(1.0, share)

    def list_results(self) -> dict[str, Any]:
        """Returns what `page/viewer.js` shows."""
        results = list(self.results)
        # Not by `session.downloads`: those of the last batch, until this one begins.
        is_many = _count_made(results) > 1
        address = f"results/{self.session.key}/all.zip" if is_many else None
        return {"pictures": results, "all": address}

    def take(self) -> None:
        """Enlarges all pictures, until the user stops it."""
        try:
            self._take()
        except _Stopped:
            self.error = f"Cancelled after {len(self.results)} of {len(self.uploads)}."
        except InputError as error:
            self.error = _to_page(error)
        except MemoryError:
            self.error = "The server's memory is full; choose a smaller size."
        except OSError as error:
            warn(f"{error.filename}: {error.strerror}")
            is_full = error.errno == errno.ENOSPC
            found = "The server's disk is full." if is_full else "A file is gone."
            self.error = f"{found} Send the pictures again{' later' * is_full}."
        except Exception:  # A bug must not leave the user waiting.
            traceback.print_exc()
            self.error = "This went wrong on the server, whose log says more."

    def _take(self):
        folder = self.session.clear()
        with self._turn():
            self._line = "Opening the weights"
            enlargers = self.work.open_enlargers()
            runs = [
                self._prepare(folder / str(place), upload, enlargers)
                for place, upload in enumerate(self.uploads)
            ]
        total = sum(sum(run.pixels.values()) for run in runs)
        self._progress = progress = _Watched(total, self._check)
        for place, (run, upload) in enumerate(zip(runs, self.uploads, strict=True), 1):
            start = time.monotonic()
            with self._turn():
                progress.start += time.monotonic() - start
                self._line = f"Enlarging {upload.name}, {place} of {len(runs)}"
                try:
                    self.results.append(self._take_one(run, upload, progress))
                except InputError as error:
                    told = _to_page(error, run.waiting[0].source, upload.name)
                    failed = {"name": upload.name, "error": told, "notes": []}
                    self.results.append(failed)
        self._progress = None
        done = _count_made(self.results)
        made = f"Enlarged {done} of {len(runs)} {enlargers.describe()}."
        self._line = _to_page(made)

    def _check(self):
        if self.session.to_stop.is_set():
            raise _Stopped

    @contextlib.contextmanager
    def _turn(self):
        """Waits for the device, and says so."""

        def tell(ahead):
            self._check()
            self._line = f"Waiting: {ahead} of other users come first"

        with self.turns.taken(tell):
            self._check()
            yield

    def _prepare(self, folder, upload, enlargers):
        """Puts a picture under a name of our own, and prepares to enlarge it."""
        folder.mkdir()
        ending = Path(upload.name).suffix
        is_known = ending.lower() in RESULT_ENDINGS
        source = folder / f"picture{ending if is_known else ''}"
        try:
            os.link(upload.path, source)
        except OSError:
            shutil.copyfile(upload.path, source)
        output = Output(path=folder / "result")
        every = Jobs([source], output)
        results = Results(output, "", every.is_taken)
        return Run([*every], results, enlargers, self.work.make_tiler())

    def _take_one(self, run, upload, progress):
        """Enlarges a picture, and returns what the page shows of it."""
        (job,) = run.waiting
        run.tiler = self.work.make_tiler()
        with warnings_heard() as heard:
            run.take(lambda *_, **__: contextlib.nullcontext(progress))
            if job in run.left_out:
                raise InputError(run.left_out[job])
            target = run.written[job]
            shown = self._show(job.source, target, upload)
        notes = [_to_page(text, job.source, upload.name) for text in heard]
        address, name = self.session.offer(target, upload.name)
        return {"name": name, "download": address, "notes": notes, **shown}

    def _show(self, source, target, upload):
        """Makes the previews, and measures."""
        self._line = f"Preparing the preview of {upload.name}"
        shown: dict[str, Any] = {}
        pixels, profile = [], None
        for key, path in (("after", target), ("before", source)):
            with limits.lifted(), opened(path) as image:
                decoded = decode(image, path)
                if path == target:  # Its profile fits RGB, and the picture's may not.
                    profile = image.info.get("icc_profile")
            preview = path.with_name(f"{key}.preview.png")
            factor = save_preview(preview, decoded, profile)
            height, width = decoded.shape[:2]
            address, _ = self.session.offer(preview)
            shown[key] = {"address": address, "size": [width, height], "factor": factor}
            pixels.append(to_rgb(decoded))
        return {**shown, "values": self.work.measure(upload, *reversed(pixels))}


def _count_made(results):
    return sum("download" in result for result in results)


def _to_page(message, path=None, name=""):
    """Writes a message for people who see a page, not files and flags."""
    text = str(message)
    if path is not None:
        text = text.replace(str(path), name)
    text = re.sub(r"/\S*/", "", text)
    text = re.sub(r"--(\w+)", r"\1", re.sub(r"(--\w+)=", r"\1 ", text))
    return to_line(text)


def to_uploads(
    files: Sequence[tuple[str, str]], truths: Sequence[tuple[str, str]]
) -> list[Upload]:
    """Pairs pictures and originals by their names, or the only two of them.

    Args:
        files: Path and name of each picture.
        truths: Path and name of each original.

    Raises:
        InputError: There is no picture, or an original belongs to none.
    """
    if not files:
        raise InputError("Drop pictures first.")
    names = [to_plain_name(name) for _, name in files]
    by_stem = {Path(to_plain_name(name)).stem: Path(path) for path, name in truths}
    if len(files) == len(truths) == 1:
        by_stem = {Path(names[0]).stem: Path(truths[0][0])}
    if unknown := sorted(set(by_stem) - {Path(name).stem for name in names}):
        raise InputError(
            f"The original {unknown[0]} has the name of no picture; give both one name."
        )
    return [
        Upload(Path(path), name, by_stem.get(Path(name).stem))
        for (path, _), name in zip(files, names, strict=True)
    ]
