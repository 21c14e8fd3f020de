"""The files of a run under JAX: what is written, gone on with, and started from."""

import itertools

import ml_dtypes
import numpy as np

from console.errors import InputError
from console.progress import say, warn
from misc.jax_training import archives
from misc.jax_training.archives import STATE, WEIGHTS, name_archive

# Networks; all else is state.
ROOTS = ("generator", "ema", "discriminator")
FLAG = "--train_path"


def flatten(nested, prefix=""):
    """Arranges nested dicts of arrays as one dict, names joined by slashes."""
    flat = {}
    for name, inner in nested.items():
        if isinstance(inner, dict):
            flat |= flatten(inner, f"{prefix}{name}/")
        else:
            flat[f"{prefix}{name}"] = np.asarray(inner)
    return flat


def unflatten(flat):
    """Undoes `flatten` for a state, where names of weights have slashes, too.

    Args:
        flat: From a name to an array.

    Returns:
        dict: As `misc.jax_training.steps.start_state` makes it.
    """
    state = {}
    for name, array in flat.items():
        root, _, rest = name.partition("/")
        if not rest:
            state[root] = array
        elif root in ROOTS:
            state.setdefault(root, {})[rest] = array
        else:
            kind, _, weight = rest.partition("/")
            inner = state.setdefault(root, {})
            if weight:
                inner.setdefault(kind, {})[weight] = array
            else:
                inner[kind] = array
    return state


def write(folder, step, state, arguments, is_half=False, most_bytes=None):
    """Writes a run's two files; they count once both are there.

    Args:
        folder: The run's.
        step: Of their names.
        state: Nested dicts of arrays.
        arguments: Ready for JSON.
        is_half: Whether to store 16 bits.
        most_bytes: Of a file; None for any.

    Returns:
        list of Path: The files of the weights.

    Raises:
        OSError: The disk is full or read-only; what was there stays.
    """
    roots = {name: state[name] for name in ROOTS if name in state}
    rest = {name: inner for name, inner in state.items() if name not in roots}
    weights, rest = flatten(roots), flatten(rest)
    if is_half:
        weights = {name: to_half(array) for name, array in weights.items()}
        rest = dict(_to_bits(name, array) for name, array in rest.items())
    # In this order weights that lie alone are never what a kill has left.
    for kind, arrays in ((STATE, rest), (WEIGHTS, weights)):
        path = name_archive(folder, kind, step)
        files = archives.write(path, arrays, arguments, most_bytes)
    return files


def to_half(array):
    """Kernels in float16, if they fit; the others are too few to be worth it."""
    fits = np.abs(array).max(initial=0) <= np.finfo(np.float16).max
    return array.astype(np.float16) if array.ndim > 1 and fits else array


def _to_bits(name, array):
    """Moments in bfloat16; counts stay as they are."""
    if array.ndim == 0:
        return name, array
    bits = array.astype(ml_dtypes.bfloat16).view(np.uint16)
    return f"{name}{archives.BFLOAT16}", bits


def list_saved(folder):
    """Steps that both files are there of, in order."""
    there = (set(archives.list_steps(folder, kind)) for kind in (STATE, WEIGHTS))
    return sorted(set.intersection(*there))


def read_newest(folder):
    """Reads the newest state of a run that is whole.

    Args:
        folder: The run's.

    Returns:
        step, state, arguments; None if the folder holds no run.

    Raises:
        InputError: There are files, but none can be gone on with.
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


def read_weights(path, flag):
    """Reads weights: a file, or of a folder the newest that can be read.

    Args:
        path: As of `misc.jax_training.archives.find`.
        flag: What gave it, for messages.

    Returns:
        path: The archive, a Path.
        arrays: From a name to an array.
        arguments: A dict.

    Raises:
        InputError: There is none, or none that can be read.
    """
    *newer, last = archives.find(path, flag)
    for one in newer:
        try:
            return one, *archives.read(one, flag)
        except InputError as error:
            warn(f"{error} Trying the one before.")
    return last, *archives.read(last, flag)


def remove_old(folder, most, step):
    """Keeps the newest few of a run's saves, and nothing that was cut off.

    Args:
        folder: The run's.
        most: How many are kept.
        step: The one just written. Later ones, which could not be read when the run
            went on, neither count nor go.
    """
    kept = [saved for saved in list_saved(folder) if saved <= step][-most:]
    for kind in (STATE, WEIGHTS):
        there = {s for s in archives.list_steps(folder, kind) if s <= step}
        steps = there - set(kept)
        files = (archives.list_files(name_archive(folder, kind, s)) for s in steps)
        for file in itertools.chain.from_iterable(files):
            file.unlink()


def take_state(fresh, state, folder):
    """A state to go on with.

    Args:
        fresh: That of a new run, for its names and shapes.
        state: What was read; what the run does without for now stays in it.
        folder: Where from.

    Raises:
        InputError: It is that of another model.
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


def take_weights(fresh, arrays, path):
    """The state of a new run that starts from weights, averaged where they are.

    Args:
        fresh: That of a run from scratch.
        arrays: As `read_weights` returns them.
        path: Where from.

    Raises:
        InputError: They are those of another network.
    """
    read = unflatten({n: a for n, a in arrays.items() if n.partition("/")[0] in ROOTS})
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
    """Gives a generator of fewer scales the parts that it has none of, as new."""
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
