"""The files of a run under JAX: writes them, resumes from them and starts from them."""

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from console.errors import InputError
from console.progress import say, warn
from misc.jax_training import archives
from misc.jax_training.archives import STATE, WEIGHTS, name_archive

# Networks; all other items are state.
ITEMS = ("generator", "ema", "discriminator")
FLAG = "--train_path"

Arrays = dict[str, np.ndarray]
# Nested dicts of arrays, as `misc.jax_training.steps.start_state` makes them.
State = dict[str, Any]


def flatten(nested: Mapping[str, Any], prefix: str = "") -> Arrays:
    """Flattens nested dicts of arrays to one dict, with names joined by slashes."""
    flat: Arrays = {}
    for name, inner in nested.items():
        if isinstance(inner, dict):
            flat |= flatten(inner, f"{prefix}{name}/")
        else:
            flat[f"{prefix}{name}"] = np.asarray(inner)
    return flat


def unflatten(flat: Mapping[str, np.ndarray]) -> State:
    """Inverts `flatten` for a state, in which names of weights have slashes, too."""
    state: State = {}
    for name, array in flat.items():
        item, _, rest = name.partition("/")
        if not rest:
            state[item] = array
        elif item in ITEMS:
            state.setdefault(item, {})[rest] = array
        else:
            kind, _, weight = rest.partition("/")
            inner = state.setdefault(item, {})
            if weight:
                inner.setdefault(kind, {})[weight] = array
            else:
                inner[kind] = array
    return state


def write(
    folder: Path | str,
    step: int,
    state: State,
    arguments: Mapping[str, Any],
    is_half: bool = False,
    most_bytes: int | None = None,
) -> list[Path]:
    """Writes a run's two files; they are used only if both exist.

    Args:
        folder: The run's folder.
        step: The step, for the names.
        state: Nested dicts of arrays.
        arguments: Arguments of the run, ready for JSON.
        is_half: Whether to store 16 bits.
        most_bytes: The largest size of a file; None for any size.

    Returns:
        The files of the weights.

    Raises:
        OSError: The disk is full or read-only; existing files stay.
    """
    items = {name: state[name] for name in ITEMS if name in state}
    rest = {name: inner for name, inner in state.items() if name not in items}
    weights, rest = flatten(items), flatten(rest)
    if is_half:
        weights = {name: to_half(array) for name, array in weights.items()}
        rest = dict(_to_bits(name, array) for name, array in rest.items())
    # The state comes first, so that a kill never leaves weights without a state.
    for kind, arrays in ((STATE, rest), (WEIGHTS, weights)):
        path = name_archive(folder, kind, step)
        files = archives.write(path, arrays, arguments, most_bytes)
    return files


def to_half(array: np.ndarray) -> np.ndarray:
    """Converts kernels that fit to float16; other arrays are small and stay."""
    fits = np.abs(array).max(initial=0) <= np.finfo(np.float16).max
    return array.astype(np.float16) if array.ndim > 1 and fits else array


def _to_bits(name, array):
    """Converts moments to bfloat16; counts stay."""
    if array.ndim == 0:
        return name, array
    bits = array.astype(ml_dtypes.bfloat16).view(np.uint16)
    return f"{name}{archives.BFLOAT16}", bits


def list_saved(folder: Path | str) -> list[int]:
    """Lists the steps with both files, in order."""
    there = (set(archives.list_steps(folder, kind)) for kind in (STATE, WEIGHTS))
    return sorted(set.intersection(*there))


def read_newest(folder: Path | str) -> tuple[int, State, dict[str, Any]] | None:
    """Reads the newest complete state of a run.

    Args:
        folder: The run's folder.

    Returns:
        Step, state and arguments; None if the folder holds no run.

    Raises:
        InputError: There are files, but no state can be read.
    """
    saved = list_saved(folder)
    for step in reversed(saved):
        try:
            weights, arguments = archives.read(
                name_archive(folder, WEIGHTS, step), FLAG
            )
            rest, _ = archives.read(name_archive(folder, STATE, step), FLAG)
            if not isinstance(arguments.get("run"), dict) or "seconds" not in rest:
                raise InputError(f"{FLAG}={folder}: step {step} is of no run.")
        except InputError as error:
            warn(f"{error} Trying the one before.")
        else:
            return step, unflatten(weights | rest), arguments
    if saved:
        raise InputError(
            f"{FLAG}={folder}: none of its {len(saved)} states can be read; give "
            "another folder."
        )
    alone = archives.list_steps(folder, WEIGHTS)
    if alone:
        path = name_archive(folder, WEIGHTS, alone[-1])
        raise InputError(
            f"{FLAG}={folder}: holds weights, and no {STATE}-{alone[-1]}.npz to go on "
            f"from. Give another folder, and --restore_path={path} to start from them."
        )
    return None


def read_weights(path: Path | str, flag: str) -> tuple[Path, Arrays, dict[str, Any]]:
    """Reads the weights of a file, or the newest readable weights of a folder.

    Args:
        path: See `misc.jax_training.archives.find`.
        flag: The flag that gave the path, for messages.

    Returns:
        path: The archive.
        arrays: From a name to an array.
        arguments: The arguments of the archive.

    Raises:
        InputError: There are no weights, or no weights can be read.
    """
    *newer, last = archives.find(path, flag)
    for one in newer:
        try:
            return one, *archives.read(one, flag)
        except InputError as error:
            warn(f"{error} Trying the one before.")
    return last, *archives.read(last, flag)


def remove_old(folder: Path | str, most: int, step: int) -> None:
    """Removes all but the newest saves of a run, and incomplete saves.

    Args:
        folder: The run's folder.
        most: Number of saves to keep.
        step: The step of the last save. Later saves, which could not be read when the
            run was resumed, are neither counted nor removed.
    """
    kept = [saved for saved in list_saved(folder) if saved <= step][-most:]
    for kind in (STATE, WEIGHTS):
        there = {s for s in archives.list_steps(folder, kind) if s <= step}
        steps = there - set(kept)
        files = (archives.list_files(name_archive(folder, kind, s)) for s in steps)
        for file in itertools.chain.from_iterable(files):
            file.unlink()


def take_state(fresh: State, state: State, folder: Path | str) -> State:
    """Makes the state of a resumed run.

    Args:
        fresh: The state of a new run, for its names and shapes.
        state: The state that was read; items that the run does not use stay in it.
        folder: The folder that it was read from.

    Raises:
        InputError: The state is that of another model.
    """
    if "ema" in fresh and "ema" not in state:
        state["ema"] = state["generator"]
    new = [name for name in fresh if name not in state]
    if "discriminator" in new:
        say("The discriminator begins anew: the run had none.")
    common = {name: state[name] for name in fresh if name in state}
    wanted = {name: fresh[name] for name in common}
    archives.check_fits(folder, FLAG, flatten(common), flatten(wanted))
    return state | {name: fresh[name] for name in new}


def take_weights(
    fresh: State, arrays: Mapping[str, np.ndarray], path: Path | str
) -> State:
    """Makes the state of a new run from weights, averaged if the file has an average.

    Args:
        fresh: The state of a run from scratch.
        arrays: The arrays from `read_weights`.
        path: The file that they were read from.

    Raises:
        InputError: The weights are those of another network.
    """
    read = unflatten({n: a for n, a in arrays.items() if n.partition("/")[0] in ITEMS})
    weights = {"generator": read.get("ema", read.get("generator", {}))}
    if "discriminator" in fresh and "discriminator" in read:
        weights["discriminator"] = read["discriminator"]
    weights["generator"] = _add_scales(fresh["generator"], weights["generator"], path)
    if "ema" in fresh:
        weights["ema"] = weights["generator"]
    wanted = {name: fresh[name] for name in weights}
    archives.check_fits(path, "--restore_path", flatten(weights), flatten(wanted))
    return fresh | weights


def _add_scales(fresh, weights, path):
    """Adds fresh weights of the scales that a generator does not have."""
    parts = [{name.partition("_")[0] for name in some} for some in (fresh, weights)]
    new = sorted(part for part in parts[0] - parts[1] if part[1:].isdigit())
    if not weights or not new:
        return weights
    say(
        f"The network of {path} has no {' and no '.join(new)}: its own parts for that "
        "begin as new."
    )
    return weights | {
        name: weight for name, weight in fresh.items() if name.partition("_")[0] in new
    }
