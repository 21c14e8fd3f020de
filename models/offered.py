"""The weights that a page offers, and the models made of them."""

import dataclasses
import functools
from pathlib import Path

from console.settings import PathName
from frozen import graphs
from frozen.upscaler import Upscaler
from models import MODELS
from models.base import Model
from models.opening import EXACT, CheckpointSettings, find_shipped
from training.options import StepOptions

# The folders in pretrained/, and what people who know no models may choose by.
SHIPPED = {
    "eusr": "EUSR: exact",
    "4pp_eusr": "4PP-EUSR: crisp, less exact",
    "photo": "Photo: against noise, blur and compression",
    "eusr_large": "Large EUSR: a little more exact, much slower",
}
# Models that stay in memory: people go back and forth between two or three.
_MOST_MODELS = 3


@dataclasses.dataclass(frozen=True)
class Weights:
    """Weights that can be chosen: of a checkpoint, or else of a frozen file.

    Attributes:
        is_mixed: Whether it can be mixed with exact weights, by a naturalness.
    """

    checkpoint: CheckpointSettings | None
    frozen: Path | None = None
    is_mixed: bool = False

    @functools.lru_cache(maxsize=_MOST_MODELS)  # noqa: B019 - of few weights
    def open(self, precision: str, naturalness: float) -> Model | Upscaler:
        """Opens a model, or returns one of the last that were opened.

        Args:
            precision: Precision of a checkpoint's network; a frozen file has its own.
            naturalness: Share of these weights where they are mixed; 1 for them alone.
        """
        if self.checkpoint is None:
            return Upscaler(self.frozen)
        share = naturalness if self.is_mixed and naturalness < 1 else None
        found = dataclasses.replace(self.checkpoint, naturalness=share)
        options = StepOptions(precision=precision)
        model, _ = found.find(None).open(None, options)
        return model


def list_weights(
    model_name: Path | str | None, checkpoint: CheckpointSettings
) -> dict[str, Weights]:
    """Lists the weights that are given, then those in `pretrained/`, by their texts.

    A checkpoint counts if its `restore_path` is given; with a naturalness, it is mixed.
    """
    offered: dict[str, Weights] = {}
    if checkpoint.restore_path is not None:
        found = checkpoint.find(None)
        is_mixed = checkpoint.naturalness is not None
        name = Path(found.restore_path).name
        offered[f"Checkpoint {name}"] = Weights(found, is_mixed=is_mixed)
    if model_name is not None:
        graphs.read(model_name, "--model_name")
        path = Path(model_name)
        offered[f"Frozen file {path.name}"] = Weights(None, frozen=path)
    for name, told in SHIPPED.items():
        shipping = PathName(find_shipped(name))
        own = dataclasses.replace(checkpoint, restore_path=shipping)
        # An EUSR with exact pictures is mixed with nothing.
        offered[told] = Weights(own, is_mixed=name in MODELS and name != EXACT)
    return offered
