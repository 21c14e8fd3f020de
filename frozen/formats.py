"""What a frozen network is written as: our own `.pb`, or a file for other programs.

A format is a class that writes a `Network` and reads it back; a new one is such a class
and one line in `FORMATS`. What it needs beside TensorFlow is imported on use.
"""

import dataclasses
import importlib.util
from collections.abc import Callable
from pathlib import Path

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
    """A frozen graph, and how it is called.

    Attributes:
        graph_def: tf.compat.v1.GraphDef.
        input: Name of its input, float32 (N, H, W, 3), any height and width.
        outputs: Names of its outputs.
        serve: From a function of that input and a uint8 (N, H, W, 3) tensor in
            [0, 255] to a dict of tensors: what a server answers to pictures.
    """

    graph_def: object
    input: str
    outputs: tuple
    serve: Callable

    def to_function(self, source):
        """A function from the input to a list of the outputs; see `graphs`."""
        return graphs.to_function(self.graph_def, [self.input], self.outputs, source)


class Format:
    """One format.

    Attributes:
        ending: What the names of its files end in; empty for a folder.
        needs: Names of packages that it needs beside those of requirements.txt.
        holds_scales: Whether one file does several scales.
    """

    ending = ""
    needs: tuple[str, ...] = ()
    holds_scales = False

    @staticmethod
    def write(network, path):
        """Writes a `Network`."""
        raise NotImplementedError

    @staticmethod
    def load(network, path):
        """Loads what `write` wrote, with the library that its users have.

        Returns:
            A function from a float32 array to a list of arrays, as the network's.
        """
        raise NotImplementedError

    @classmethod
    def check_target(cls, target, flag):
        """Refuses a target that cannot be written to.

        Args:
            target: Path of the file or the folder to be.
            flag: What gave it, for the message.

        Raises:
            InputError: It cannot, or something else would be lost.
        """
        check_target(target, flag, is_folder=not cls.ending)
        if target.is_dir() and any(target.iterdir()):
            cls.check_replaceable(target, flag)

    @staticmethod
    def check_replaceable(folder, flag):
        """Refuses a folder with something in it that `write` does not write.

        Args:
            folder: Path of one that is not empty.
            flag: What gave it, for the message.

        Raises:
            InputError: It is something else.
        """

    @classmethod
    def check_needs(cls, flag):
        """Refuses a format whose packages are not installed.

        Args:
            flag: What chose the format, for the message.

        Raises:
            InputError: With what is missing.
        """
        missing = [name for name in cls.needs if not importlib.util.find_spec(name)]
        if missing:
            raise InputError(
                f"{flag} needs {' and '.join(missing)}, not installed here: pip "
                "install -r requirements-export.txt."
            )


class FrozenFile(Format):
    """A `.pb` file, which the scripts here and TensorFlow 1.15 read."""

    ending = ".pb"
    holds_scales = True

    @staticmethod
    def write(network, path):
        """See `Format.write`."""
        graphs.save(network.graph_def, path)

    @staticmethod
    def load(network, path):
        """See `Format.load`."""
        read = graphs.read(path, "--output_path")
        run = dataclasses.replace(network, graph_def=read).to_function(str(path))
        return lambda array: [output.numpy() for output in run(tf.constant(array))]


@dataclasses.dataclass(frozen=True)
class ExportSettings(Settings):
    """What a network is written as, and where to.

    Attributes:
        registry: From a name to the `Format` that it stands for.
    """

    registry = FORMATS

    format: str = option(
        "pb",
        "pb for the scripts here and TensorFlow 1.15; saved_model, onnx and tflite for "
        "others (see requirements-export.txt).",
        choices=tuple(FORMATS),
    )
    output_path: PathName = option(
        "model.pb",
        "The file to write, or with --format=saved_model the folder; another ending "
        "in other formats.",
    )

    def find(self):
        """Finds the format and the target.

        Returns:
            The class of the format, and the path to write to.

        Raises:
            InputError: The format's packages are missing, or the path would not do.
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
    """Refuses to replace what nobody would want replaced by an export.

    Raises:
        InputError: The target is a checkpoint, weights or a picture, or no name.
    """
    if not target.name:
        raise InputError(f"--output_path={target} has no name; give a new one.")
    kind, _ = tell_file_type(target) if target.is_file() else ("", "")
    if kind in KEPT:
        raise InputError(
            f"--output_path={target} is {kind}, which it would replace; give another "
            "name."
        )


def _check_ending(target, chosen):
    """Refuses a name by which its reader would expect another format.

    Raises:
        InputError: The name ends as another format's files do.
    """
    for name in FORMATS:
        ending = load(FORMATS, name, "--format").ending
        if name != chosen and ending and target.name.lower().endswith(ending):
            raise InputError(
                f"--output_path={target} ends as files of --format={name} do; this is "
                f"--format={chosen}."
            )
