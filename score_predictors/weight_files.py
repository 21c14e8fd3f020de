"""Weights of a predictor as an `.h5` file in Keras 2's layout.

The attribute `layer_names` of the root lists groups, and `weight_names` of each group
lists its arrays, both in the order of the network. Keras 3 reads this layout from any
file whose name ends in `.h5` but not in `.weights.h5`, and so does the TF1 code. Other
programs ignore further attributes, such as the width of the network.
"""

import contextlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from console.errors import InputError, name_some
from console.file_types import HDF5, tell_misfit
from console.files import written_whole

ENDING = ".h5"

# Bytes of a float64.
LARGEST_ITEM = 8

# Errors that h5py raises for files with damaged or unexpected contents.
_DAMAGE = (AttributeError, KeyError, OSError, RuntimeError, TypeError, ValueError)
_DAMAGED = "is damaged; copy it again or use another."


def save(
    path: Path | str,
    network: keras.Model,
    attributes: Mapping[str, float | str],
    dtype: str = "float32",
) -> None:
    """Writes the weights of a network, completely or not at all.

    Args:
        path: The file to write.
        network: A Keras model without nested models.
        attributes: From a name to a value; those of the layout are replaced.
        dtype: Type of the arrays in the file.
    """
    # In memory first: on a full disk HDF5 aborts the process.
    stored = io.BytesIO()
    with h5py.File(stored, "w") as file:
        file.attrs.update(attributes)
        layers = [layer for layer in network.layers if layer.weights]
        file.attrs["layer_names"] = [np.bytes_(layer.name) for layer in layers]
        file.attrs["backend"] = np.bytes_("tensorflow")
        file.attrs["keras_version"] = np.bytes_(keras.__version__)
        for layer in layers:
            group = file.create_group(layer.name)
            names = [_name_weight(layer, weight) for weight in layer.weights]
            group.attrs["weight_names"] = [np.bytes_(name) for name in names]
            for name, weight in zip(names, layer.weights, strict=True):
                group.create_dataset(name, data=np.asarray(weight, dtype))
    with written_whole(path) as aside:
        aside.write_bytes(stored.getvalue())


def _name_weight(layer, weight):
    """The name in Keras 2, for example `Conv1/kernel:0`."""
    is_depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
    prefix = "depthwise_" if is_depthwise and weight.name == "kernel" else ""
    return f"{layer.name}/{prefix}{weight.name}:0"


class WeightFile(contextlib.AbstractContextManager):
    """An `.h5` file that is open for reading; use it in a `with` statement.

    Attributes:
        attributes: The attributes of `save`; empty for a file of another program.
        datasets: (name, array that is not read yet) of each weight, in order.
    """

    def __init__(self, path: Path | str, flag: str) -> None:
        """Opens the file, which `flag` gave.

        Raises:
            InputError: There is no such file, or it is not in Keras 2's layout.
        """
        path, self.named = Path(path), f"{flag}={path}"
        if not path.is_file():
            found = "is a folder" if path.exists() else "no such file"
            found = tell_misfit(path, found)
            raise self.error(f"{found}. Expected weights, {ENDING}.")
        try:
            self.file = h5py.File(path, "r")
        except OSError:
            found = tell_misfit(path, "is not an HDF5 file, or is damaged", HDF5)
            raise self.error(
                f"{found}. Expected weights written by score_predictors/train.py, "
                f"{ENDING}."
            ) from None
        try:
            self.attributes = dict(self.file.attrs)
            self.datasets = self._list()
        except _DAMAGE as error:
            self.file.close()
            if isinstance(error, InputError):
                raise
            raise self.error(_DAMAGED) from None

    def error(self, text: str) -> InputError:
        """Makes an error about the file."""
        return InputError(f"{self.named}: {text}")

    def _list(self) -> list[tuple[str, h5py.Dataset]]:
        # Keras 2's files of whole models keep the weights in a separate group.
        root = self.file
        if "model_weights" in root:
            root = self._get(root, "model_weights")
        if "layer_names" not in root.attrs:
            raise self.error(
                "is an HDF5 file without Keras 2's list of layers (it holds "
                f"{name_some(sorted(self.file), 3) or 'nothing'}); expected weights "
                "written by score_predictors/train.py."
            )
        datasets: list[tuple[str, h5py.Dataset]] = []
        for layer in root.attrs["layer_names"]:
            group = self._get(root, _to_text(layer))
            names = [_to_text(name) for name in group.attrs.get("weight_names", ())]
            datasets.extend((name, self._get(group, name)) for name in names)
        others = [
            name
            for name, dataset in datasets
            if not isinstance(dataset, h5py.Dataset)
            or dataset.dtype.kind not in "fiu"
            or dataset.dtype.itemsize > LARGEST_ITEM
        ]
        if others:
            raise self.error(
                f"its {name_some(others, 3)} is not an array of numbers; expected "
                "weights written by score_predictors/train.py."
            )
        for name, dataset in datasets:
            if dataset.external or dataset.is_virtual:
                raise self._elsewhere(name)
        return datasets

    def _get(self, group, path):
        """Follows a path without opening another file."""
        for name in path.strip("/").split("/"):
            if isinstance(group.get(name, getlink=True), h5py.ExternalLink):
                raise self._elsewhere(path)
            group = group[name]
        return group

    def _elsewhere(self, name):
        return self.error(
            f"refused because its {name} would be read from another file."
        )

    def read_number(self, name: str, least: float, most: float) -> float | None:
        """Reads an attribute that is a number; None if the file does not have it.

        Raises:
            InputError: The value is not a number from `least` to `most`.
        """
        value = self.attributes.get(name)
        if value is None:
            return None
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = float("nan")
        if not least <= number <= most:
            raise self.error(
                f"its attribute {name} is {_to_text(value)[:40]!r}; expected a number "
                f"from {least:g} to {most:g}."
            )
        return number

    def load(self, weights: Sequence[keras.Variable], network: str, hint: str) -> None:
        """Reads the first arrays of the file into a network's weights.

        Shapes are compared before any array is read, so a file that claims huge arrays
        takes no memory. A file that does not fit changes nothing.

        Args:
            weights: Keras variables, in order.
            network: Name of the network, for messages: `"mobilenetv2 (alpha 1.0)"`.
            hint: Advice about a file that does not fit, for messages.

        Raises:
            InputError: The file has other arrays, or values that are not finite, or
                is damaged.
        """
        wanted = [tuple(weight.shape) for weight in weights]
        found = [tuple(dataset.shape) for _, dataset in self.datasets]
        for index, shape in enumerate(wanted):
            if index >= len(found) or found[index] != shape:
                has = (
                    f"{self.datasets[index][0]} of shape {list(found[index])}"
                    if index < len(found)
                    else f"only {len(found)} arrays"
                )
                raise self.error(
                    f"does not fit {network}: it has {has} where "
                    f"{weights[index].path} of shape {list(shape)} is expected. {hint}"
                )
        try:
            arrays = [
                np.asarray(dataset[()], np.float32)
                for _, dataset in self.datasets[: len(wanted)]
            ]
        except (OSError, TypeError, ValueError):
            raise self.error(_DAMAGED) from None
        for (name, _), array in zip(self.datasets, arrays, strict=False):
            if not np.isfinite(array).all():
                raise self.error(
                    f"its {name} holds values that are not finite; the training "
                    "diverged. Use another file."
                )
        for weight, array in zip(weights, arrays, strict=True):
            weight.assign(array)

    def __exit__(self, *_: Any) -> None:
        """Closes the file."""
        self.file.close()


def _to_text(name):
    return name.decode() if isinstance(name, bytes) else str(name)
