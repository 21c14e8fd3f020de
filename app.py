r"""Opens a page in the browser to drop pictures on, and enlarges them as test.py does.

    python app.py
    python app.py --restore_path=train --model_name=model.pb --scale=2
    python app.py --host=0.0.0.0 --password=SECRET --max_pixels=20000000

It offers a checkpoint and a frozen file, if they are given, and the weights in
pretrained/. Needs requirements-app.txt. Also runs as a Hugging Face Space.
"""

import asyncio
import concurrent.futures
import contextlib
import dataclasses
import importlib.util
import os
from pathlib import Path
from typing import Any

from console import app, quiet
from console.errors import InputError
from console.machine import used_memory
from console.settings import PathName, Settings, option
from imaging import limits, mending
from page import server, viewer
from page.batches import Batch, Work, to_uploads
from page.sessions import Sessions, Turns
from upscaling.choosing import EnlargingSettings

with quiet.imports():
    from models import offered, opening
    from score_predictors.judging import judge
    from training import devices
    from training.options import POLICIES, Precision

SECONDS_BETWEEN_LOOKS, MOST_SIZE = 0.3, 1e9
# The kinds of size, by texts to choose from.
SIZES = {
    name.replace("_", " ").capitalize(): name
    for name in ("scale", "width", "height", "longest_side", "megapixels")
}


@dataclasses.dataclass(frozen=True)
class PageSettings(Settings):
    """The frozen file that the page offers, and the device."""

    model_name: PathName | None = option(
        None, "A .pb file written by freeze.py, to choose beside other weights."
    )
    use_gpu: bool = option(False, "Whether to run on the GPU.")


@dataclasses.dataclass(frozen=True)
class PageLimits(limits.LimitSettings):
    """Limits for pictures of people who may be unknown."""

    max_pixels: int = limits.LimitSettings.with_default("max_pixels", 50_000_000)


SETTINGS: tuple[Any, ...] = (
    *(PageSettings, server.ServerSettings, opening.CheckpointSettings, Precision),
    *(EnlargingSettings, PageLimits, mending.DamageSettings),
)


def main() -> None:
    """Opens the page, and serves it until Ctrl-C."""
    settings, serving, checkpoint, precision, enlarging, most, damage = (
        each.from_flags() for each in SETTINGS
    )
    if importlib.util.find_spec("gradio") is None:
        raise InputError(
            "app.py needs Gradio: python -m pip install -r requirements-app.txt"
        )
    devices.choose("0" if settings.use_gpu else "-1", "--use_gpu")
    most.take()
    damage.take()
    weights = offered.list_weights(settings.model_name, checkpoint)
    with contextlib.closing(Sessions()) as sessions:
        page = Page(enlarging, weights, sessions)
        serving.serve(
            lambda: build(page, precision.precision, checkpoint.naturalness), sessions
        )


class Page:
    """What the page does, as functions of Gradio's components."""

    def __init__(self, enlarging, weights, sessions):
        self.enlarging, self.weights, self.sessions = enlarging, weights, sessions
        self.turns = Turns()
        # Memory of the process before its first picture.
        self.memory = None
        # Nearly all of them wait for their turns.
        self.threads = concurrent.futures.ThreadPoolExecutor(256, "page")

    async def enlarge(self, user, files, truths, *choices):
        """Enlarges pictures.

        Args:
            user: The user's secret; see `Sessions.open`.
            files: Path and name of each picture.
            truths: Path and name of each original.
            *choices: See `_make_work`.

        Yields:
            The status as HTML, and the results for `page/viewer.js`.
        """
        session = self.sessions.open(user)
        try:
            uploads, work = to_uploads(files, truths), self._make_work(*choices)
            if not session.is_busy.acquire(blocking=False):
                raise InputError("The last pictures are still being enlarged.")
        except InputError as error:
            yield viewer.draw_status(str(error)), viewer.NOTHING
            return
        session.to_stop.clear()
        batch = Batch(session, self.turns, uploads, work)
        future = self.threads.submit(batch.take)
        future.add_done_callback(lambda _: session.is_busy.release())
        waited = asyncio.wrap_future(future)
        try:
            while not waited.done():
                yield viewer.draw_status(*batch.describe()), batch.list_results()
                await asyncio.wait([waited], timeout=SECONDS_BETWEEN_LOOKS)
            await waited
            yield viewer.draw_status(*batch.describe()), batch.list_results()
        finally:  # Also if the user has closed the page.
            session.to_stop.set()

    def _make_work(self, weights, kind, number, precision, naturalness):
        """Makes the `Work` of what was chosen on the page."""
        least = 1 if kind == "Scale" else 0.001
        if not isinstance(number, int | float) or not least <= number < MOST_SIZE:
            raise InputError(f"{kind}: expected a number of at least {least}.")
        sizes = dict.fromkeys(SIZES.values()) | {"scale": 1, SIZES[kind]: number}
        enlarging = dataclasses.replace(self.enlarging, **sizes)
        chosen = self.weights[weights]

        def open_enlargers():
            enlargers = enlarging.make_enlargers(chosen.open(precision, naturalness))
            self.memory = self.memory or used_memory()
            return enlargers

        return Work(
            open_enlargers,
            lambda: enlarging.make_tiler(is_strict=True, base=self.memory),
            lambda upload, *pictures: judge(*pictures, upload.truth),
        )


def build(page, precision, naturalness):
    """Builds Gradio's `Blocks`, with what is chosen at first."""
    import gradio as gr

    def take_names(payload):
        files = payload.root if payload else []
        paths = [Path(os.path.realpath(file.path)) for file in files]
        if not all(path.is_relative_to(page.sessions.uploads) for path in paths):
            raise gr.Error("Send pictures, not paths.")
        names = (file.orig_name or Path(file.path).name for file in files)
        return list(zip(paths, names, strict=True))

    async def enlarge(request: gr.Request, *values):
        async for shown in page.enlarge(request.session_hash, *values):
            yield shown

    def cancel(request: gr.Request):
        page.sessions.open(request.session_hash).to_stop.set()

    def choose(name):
        chosen = page.weights[name]
        shown = chosen.is_mixed, chosen.frozen is None
        return [gr.update(visible=each) for each in shown]

    names = list(page.weights)
    first = page.weights[names[0]]
    size, value = page.enlarging.find_wanted()
    texts = {name: text for text, name in SIZES.items()}
    with gr.Blocks(title="Larger pictures", analytics_enabled=False) as blocks:
        gr.Markdown(
            "# Larger pictures\nDrop photographs, scans or icons of any format. All "
            "files are removed after an hour."
        )
        with gr.Row():
            with gr.Column(scale=2, min_width=300):
                files = gr.File(label="Pictures", file_count="multiple", height=240)
                weights = gr.Radio(names, value=names[0], label="Weights")
                with gr.Row():
                    kind = gr.Dropdown(
                        *(list(SIZES), texts[size]), label="Size by", filterable=False
                    )
                    number = gr.Number(value, label="Scale or size")
                natural = gr.Slider(
                    *(0, 1, 1 if naturalness is None else naturalness),
                    step=0.05,
                    label="Naturalness",
                    info="0 is exact, 1 is crisp.",
                    visible=first.is_mixed,
                )
                with gr.Accordion("More", open=False):
                    rounded = gr.Radio(
                        list(POLICIES),
                        value=precision,
                        label="Precision",
                        info="bfloat16 may be faster.",
                        visible=first.frozen is None,
                    )
                    truths = gr.File(
                        label="Originals of the same names, to compare results with",
                        file_count="multiple",
                    )
                with gr.Row():
                    start = gr.Button("Enlarge", variant="primary")
                    stop = gr.Button("Cancel")
            with gr.Column(scale=3, min_width=300):
                status = gr.HTML(viewer.draw_status(""), apply_default_css=False)
                results = gr.HTML(
                    viewer.NOTHING,
                    html_template=viewer.PLACE,
                    js_on_load=viewer.make_script(),
                    apply_default_css=False,
                )
        # Gradio's own would give paths alone, without the names that users gave.
        files.preprocess = truths.preprocess = take_names
        quiet_event = {"show_progress": "hidden", "api_visibility": "private"}
        weights.change(choose, weights, [natural, rounded], **quiet_event)
        start.click(
            enlarge,
            [files, truths, weights, kind, number, rounded, natural],
            [status, results],
            **quiet_event,
            # Pictures wait for their turns, not users.
            concurrency_limit=None,
        )
        stop.click(cancel, queue=False, **quiet_event)
    return blocks


if __name__ == "__main__":
    app.run(main, SETTINGS)
