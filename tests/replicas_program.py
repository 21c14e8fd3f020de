"""Trains a small model on several devices or among several workers; keeps its weights.

A program of its own, run by tests: who trains is settled before TensorFlow starts.
"""

import functools
import json
import sys

import keras
import numpy as np
import tensorflow as tf

from dataloaders.paired import PairedLoader
from dataloaders.paired_settings import PairedSettings
from tests.four_pass import make_four_pass
from tests.small import make_small
from training.loop import Loop, LoopSettings
from training.options import StepOptions
from training.replicas import Team, make_team


@functools.cache
def make_mirrored(devices):
    """A team of so many CPU devices, the same for all runs of a process.

    Two of them would take each other's sums for their own.
    """
    cpu = tf.config.list_physical_devices("CPU")[0]
    parts = [tf.config.LogicalDeviceConfiguration()] * devices
    tf.config.set_logical_device_configuration(cpu, parts)
    names = [f"CPU:{index}" for index in range(devices)]
    return Team(tf.distribute.MirroredStrategy(names))


def main(images, cache, folder, devices=0, four_pass=None, **options):
    """Trains some steps and writes all trained weights, one after the other.

    Args:
        images: Folder of the HR images.
        cache: Folder of the loader's cache.
        folder: To write to.
        devices: CPU devices of this process; 0 for what TF_CONFIG says.
        four_pass: Fields of 4PP-EUSR's training; None trains an EUSR.
        **options: Of the step.
    """
    team = make_mirrored(devices) if devices else make_team()
    keras.utils.set_random_seed(0)
    options = StepOptions(**options)
    with team.strategy.scope():
        if four_pass is None:
            model, scales, steps = make_small(options, learning_rate=1e-3), (2, 4), 20
        else:
            model, scales, steps = make_four_pass(options, **four_pass), (4,), 3
    loader = PairedLoader(PairedSettings(images, None, scales, 8, 4, 0, cache))
    loader.prepare()
    settings = LoopSettings(max_steps=steps, summary_freq=10, log_freq=3)
    Loop(model, loader, folder, settings, team).run()
    weights = list(model.generator.trainable_variables)
    if model.average is not None:
        weights += model.average.trainable_variables
    if four_pass is not None:
        weights += model.discriminator.trainable_variables
    flat = np.concatenate([weight.numpy().ravel() for weight in weights])
    np.save(f"{folder}/weights{team.index}.npy", flat)


if __name__ == "__main__":
    for run in sys.argv[1:]:
        main(**json.loads(run))
