"""What the network of a checkpoint was made from."""

from console.errors import InputError
from models import tf1_names
from models.generator_settings import Architecture
from training.index_files import check_fits


def read_architecture(prefix, arguments):
    """Reads what the network of a checkpoint was made from.

    Args:
        prefix: The checkpoint.
        arguments: As `training.checkpoints.describe` returns them; None for a
            checkpoint of the TF1 code.

    Returns:
        dict: Fields of `Architecture`; the RGB mean is not in files of the TF1 code.

    Raises:
        InputError: It holds no EUSR.
    """
    fields = (
        tf1_names.read_architecture(prefix)
        if arguments is None
        else {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in arguments["architecture"].items()
        }
    )
    # Older ones do not say what they could not be.
    fields.setdefault("start_kernel", 5)
    fields.setdefault("input_scale", 1.0)
    try:
        architecture = Architecture(**fields)
    except TypeError:
        architecture = None
    is_whole = architecture is not None and architecture.is_possible()
    if not is_whole:
        raise InputError(
            f"{prefix}: cannot be a network of {fields}. It is damaged, or of another "
            "model; use another one."
        )
    # Before such a network is made: what is claimed may be larger than the memory.
    check_fits(prefix, 4 * architecture.count_parameters())
    return fields
