"""The files of a run under JAX: writes them, resumes from them and starts from them."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from console.errors import InputError
from console.progress import say, warn
from misc.jax_training import archives
from misc.jax_training.archives import STATE, WEIGHTS, Arrays, name_archive
from models.generator_settings import Architecture
from training.arguments import LEARNED

# Networks; all other items are state.
ITEMS = ("generator", "ema", "discriminator")
FLAG = "--train_path"

# See `misc.jax_training.steps.State`.
State = dict[str, Any]


def flatten(state: State) -> Arrays:
    """Names the arrays of a state as in the files: `<item>/<name>`."""
    flat: Arrays = {}
    for item, inner in state.items():
        if isinstance(inner, dict):
            flat |= {f"{item}/{name}": np.asarray(a) for name, a in inner.items()}
        else:
            flat[item] = np.asarray(inner)
    return flat


def unflatten(flat: Mapping[str, np.ndarray]) -> State:
    """Inverts `flatten`."""
    state: State = {}
    for name, array in flat.items():
        item, _, rest = name.partition("/")
        if rest:
            state.setdefault(item, {})[rest] = array
        else:
            state[item] = array
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
        state: The state, on the host.
        arguments: Arguments of the run, ready for JSON.
        is_half: Whether to store 16 bits.
        most_bytes: The largest size of a file; None for any size.

    Returns:
        The files of the weights.
    """
    weights = flatten({item: state[item] for item in ITEMS if item in state})
    rest = flatten({item: state[item] for item in state if item not in ITEMS})
    if is_half:
        weights = {name: archives.to_half(array) for name, array in weights.items()}
        rest = dict(map(archives.to_bits, rest.items()))
    # The state comes first, so that a kill never leaves weights without a state.
    path = name_archive(folder, STATE, step)
    archives.write(path, rest, arguments, most_bytes)
    path = name_archive(folder, WEIGHTS, step)
    return archives.write(path, weights, arguments, most_bytes)


def list_saved(folder: Path | str) -> list[int]:
    """Lists the steps with both files, in order."""
    there = (set(archives.list_steps(folder, kind)) for kind in (STATE, WEIGHTS))
    return sorted(set.intersection(*there))


@dataclasses.dataclass(frozen=True)
class Origin:
    """What a run goes on from, or the weights that it starts from."""

    # The run's folder or the archive, and the flag that gave it, for messages.
    path: Path
    flag: str
    state: State
    arguments: dict[str, Any]
    # Steps done; None for a start.
    step: int | None = None

    def read_architecture(self) -> Architecture:
        """Returns the settings of the network; see `archives.read_architecture`."""
        return archives.read_architecture(self.path, self.flag, self.arguments)

    def list_learned(self, scales: Sequence[int]) -> Sequence[int] | None:
        """Lists the scales that the weights were ever trained at; None if unknown.

        Args:
            scales: The scales of the network to be trained.
        """
        learned = self.arguments.get(LEARNED)
        has = self.arguments["architecture"].get("model_scales", scales)
        # At most the scales of its network.
        return has if learned is None and set(scales) - set(has) else learned


def find_origin(folder: Path | str, restore_path: str | None) -> Origin | None:
    """Reads the newest state of a run; without a run, the weights to start from."""
    found = read_newest(folder)
    if found is None and restore_path is not None:
        return read_weights(restore_path, "--restore_path")
    return found


def read_newest(folder: Path | str) -> Origin | None:
    """Reads the newest complete state of a run; None if the folder holds no run.

    Raises:
        InputError: There are files, but no state can be read.
    """
    saved = list_saved(folder)
    for step in reversed(saved):
        paths = [name_archive(folder, kind, step) for kind in (WEIGHTS, STATE)]
        try:
            (weights, arguments), (rest, _) = (archives.read(p, FLAG) for p in paths)
            if not isinstance(arguments.get("run"), dict) or "seconds" not in rest:
                raise InputError(f"{FLAG}={folder}: step {step} is not of a run.")
            state = unflatten(weights | rest)
            return Origin(Path(folder), FLAG, state, arguments, step)
        except InputError as error:
            warn(f"{error} Trying the previous one.")
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


def read_weights(path: Path | str, flag: str) -> Origin:
    """Reads the weights of a file, or the newest readable weights of a folder.

    Raises:
        InputError: There are no weights, or no weights can be read.
    """
    found = archives.find(path, flag)
    for one in found:
        try:
            arrays, arguments = archives.read(one, flag)
            break
        except InputError as error:
            if one == found[-1]:
                raise
            warn(f"{error} Trying the previous one.")
    return Origin(one, flag, unflatten(arrays), arguments)


def remove_old(folder: Path | str, most: int, step: int) -> None:
    """Removes all but the newest `most` saves of a run, and incomplete saves.

    Saves after `step`, the last one, could not be read when the run was resumed. They
    are neither counted nor removed.
    """
    kept = [saved for saved in list_saved(folder) if saved <= step][-most:]
    for kind in (STATE, WEIGHTS):
        for old in archives.list_steps(folder, kind):
            if old <= step and old not in kept:
                for file in archives.list_files(name_archive(folder, kind, old)):
                    file.unlink()


def take_state(fresh: State, origin: Origin) -> State:
    """Makes the state to train from; names and shapes are those of a fresh state.

    Of a run to go on with, items that this one does not use stay. Of weights to start
    from, the average is taken, if there is one.

    Raises:
        InputError: The files are those of another network.
    """
    if origin.step is None:
        return fresh | _pick_weights(fresh, origin)
    state = dict(origin.state)
    if "generator" not in state:
        raise InputError(f"{FLAG}={origin.path}: holds no generator.")
    if "ema" in fresh:
        state.setdefault("ema", state["generator"])
    if "discriminator" in fresh and "discriminator" not in state:
        say("The discriminator starts untrained: the run had none.")
    _check_fits(origin, {name: state[name] for name in fresh if name in state}, fresh)
    return fresh | state


def _pick_weights(fresh, origin):
    read = origin.state
    generator = read.get("ema", read.get("generator", {}))
    weights = {"generator": _add_scales(fresh["generator"], generator, origin.path)}
    if "discriminator" in fresh and "discriminator" in read:
        weights["discriminator"] = read["discriminator"]
    if "ema" in fresh:
        weights["ema"] = weights["generator"]
    _check_fits(origin, weights, fresh)
    return weights


def _check_fits(origin, found, fresh):
    """Refuses items that differ from those of a fresh state."""
    wanted = {item: fresh[item] for item in found}
    archives.check_fits(origin.path, origin.flag, flatten(found), flatten(wanted))


def _add_scales(fresh, weights, path):
    """Adds fresh weights of the scales that a generator does not have."""
    parts = [{name.partition("_")[0] for name in some} for some in (fresh, weights)]
    new = sorted(part for part in parts[0] - parts[1] if part[1:].isdigit())
    if not weights or not new:
        return weights
    say(
        f"The network of {path} has no {' and no '.join(new)}: the layers for "
        "them start untrained."
    )
    return weights | {n: w for n, w in fresh.items() if n.partition("_")[0] in new}
