"""Formats of frozen networks: our own `.pb`, and files for other programs.

To add a format, write a subclass of `Format` and add a line to `FORMATS`. Packages
other than TensorFlow are imported on use.
"""

import dataclasses
import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from console.choices import load
from console.errors import InputError
from console.file_types import KEPT, tell_file_type
from console.files import check_target
from console.settings import PathName, Settings, is_given, option
from frozen import graphs

FORMATS = {
    "pb": "frozen.formats:FrozenFile",
    "saved_model": "frozen.saved_model:SavedModel",
    "onnx": "frozen.onnx_file:OnnxFile",
    "tflite": "frozen.tflite_file:TFLiteFile",
}


@dataclasses.dataclass(frozen=True)
class Network:
    """A frozen graph with the names of its input and outputs.

    Attributes:
        input: Name of the input, float32 (N, H, W, 3), any height and width.
        serve: Computes a server's response, a dict of tensors, from two arguments: a
            function from the input to the outputs, and pictures, uint8 (N, H, W, 3).
    """

    graph_def: tf.compat.v1.GraphDef
    input: str
    outputs: tuple[str, ...]
    serve: Callable[..., dict[str, tf.Tensor]]

    def to_function(self, source: str) -> Callable[[tf.Tensor], list[tf.Tensor]]:
        """Makes a function from the input to a list of the outputs; see `graphs`."""
        return graphs.to_function(self.graph_def, [self.input], self.outputs, source)


class Format:
    """Writes a `Network` and reads it back.

    Attributes:
        ending: Ending of the files' names; empty if the format is a folder.
        needs: Packages that the format needs besides those of requirements.txt.
        holds_scales: Whether one file can hold several scales.
    """

    ending = ""
    needs: tuple[str, ...] = ()
    holds_scales = False

    @staticmethod
    def write(network: Network, path: Path) -> None:
        """Writes a network."""
        raise NotImplementedError

    @staticmethod
    def load(network: Network, path: Path) -> Callable[[np.ndarray], Sequence[Any]]:
        """Loads a file as its users do: a function of a float32 array, the input."""
        raise NotImplementedError

    @classmethod
    def check_target(cls, target: Path, flag: str) -> None:
        """Refuses a file or folder that cannot be written."""
        check_target(target, flag, is_folder=not cls.ending)

    @classmethod
    def check_needs(cls, flag: str) -> None:
        """Refuses a format whose packages are not installed."""
        missing = [name for name in cls.needs if not importlib.util.find_spec(name)]
        if missing:
            raise InputError(
                f"{flag} needs {' and '.join(missing)}: run pip install "
                "-r requirements-export.txt."
            )


class FrozenFile(Format):
    """A `.pb` file, for the scripts of this repository and TensorFlow 1.15."""

    ending = ".pb"
    holds_scales = True

    @staticmethod
    def write(network: Network, path: Path) -> None:
        """See `Format.write`."""
        graphs.save(network.graph_def, path)

    @staticmethod
    def load(network: Network, path: Path) -> Callable[[np.ndarray], Sequence[Any]]:
        """See `Format.load`."""
        read = graphs.read(path, "--output_path")
        run = dataclasses.replace(network, graph_def=read).to_function(str(path))
        return lambda array: [output.numpy() for output in run(tf.constant(array))]


@dataclasses.dataclass(frozen=True)
class ExportSettings(Settings):
    """The format, of those in `registry`, and the path of the written file."""

    registry = FORMATS

    format: str = option(
        "pb",
        "pb for the scripts here and TensorFlow 1.15; saved_model, onnx and tflite for "
        "other programs (see requirements-export.txt).",
        choices=tuple(FORMATS),
    )
    output_path: PathName = option(
        "model.pb",
        "File to write, or folder with --format=saved_model. The default has the "
        "ending of the format.",
    )

    def find(self) -> tuple[type[Format], Path]:
        """Finds the class of the format, and the path to write to.

        Raises:
            InputError: The format's packages are missing, or the path is not valid.
        """
        format_class = load(self.registry, self.format, "--format")
        format_class.check_needs(f"--format={self.format}")
        target = Path(self.output_path)
        if not is_given("output_path"):
            target = target.with_suffix(format_class.ending)
        _check_overwritten(target)
        _check_ending(target, self.format)
        format_class.check_target(target, "--output_path")
        return format_class, target


def _check_overwritten(target):
    """Refuses to replace files that cannot be an earlier export."""
    if not target.name:
        raise InputError(
            f"--output_path={target}: expected a name, for example model.pb."
        )
    kind, _ = tell_file_type(target) if target.is_file() else ("", "")
    if kind in KEPT:
        raise InputError(
            f"--output_path={target} is {kind}, which would be replaced; give another "
            "name."
        )


def _check_ending(target, chosen):
    """Refuses a name with the ending of another format."""
    for name in FORMATS:
        ending = load(FORMATS, name, "--format").ending
        if name != chosen and ending and target.name.lower().endswith(ending):
            raise InputError(
                f"--output_path={target} has the ending of --format={name}; the format "
                f"is --format={chosen}. Change either."
            )
