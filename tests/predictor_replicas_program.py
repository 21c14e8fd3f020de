"""Trains a small predictor on one or several CPU devices; keeps its weights.

A program of its own, run by tests: who trains is settled before TensorFlow starts.
"""

import json
import sys
from pathlib import Path

import keras
import numpy as np

from dataloaders.ava import AVA, AVASettings
from score_predictors import epochs
from score_predictors.run_files import RunFiles
from score_predictors.trainee import Trainee
from tests.replicas_program import make_mirrored
from tests.small_predictor import OneLayer, SmallSettings
from training.options import StepOptions
from training.replicas import make_team


def main(data, folder, devices=0, last_only=True, **options):
    """Trains an epoch of seven pictures in batches of four, and writes the weights.

    Args:
        data: Folder of AVA's layout.
        folder: To write to.
        devices: CPU devices of this process; 0 for what TF_CONFIG says.
        last_only: Whether the last layer alone is trained.
        **options: Of the step.
    """
    team = make_mirrored(devices) if devices else make_team()
    keras.utils.set_random_seed(0)
    paths = {"dataset_path": f"{data}/AVA.txt", "image_path": f"{data}/images"}
    loader = AVA(AVASettings("0,7", "7,12", 32, 4, threads=2, **paths))
    loader.prepare()
    options = StepOptions(**options)
    with team.strategy.scope():
        predictor = OneLayer(SmallSettings(train_last_only=last_only))
        trainee = Trainee(predictor, 1e-3, options=options)
    files = RunFiles(folder, "ava.h5")
    epochs.make_loop(trainee, loader, files, 1, team).run()
    flat = np.concatenate([np.ravel(weight) for weight in trainee.network.weights])
    np.save(Path(folder) / f"weights{team.index}.npy", flat)


if __name__ == "__main__":
    for run in sys.argv[1:]:
        main(**json.loads(run))
