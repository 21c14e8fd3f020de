"""Trains a small EUSR on several devices or among several workers; keeps its weights.

A program of its own, run by tests: who trains is settled before TensorFlow starts.
"""

import json
import sys

import keras
import numpy as np
import tensorflow as tf

from dataloaders.paired import PairedLoader, PairedSettings
from tests.small import make_small
from training.loop import Loop, LoopSettings
from training.options import StepOptions
from training.replicas import Team, make_team


def make_mirrored(devices):
    """A team of so many CPU devices."""
    cpu = tf.config.list_physical_devices("CPU")[0]
    parts = [tf.config.LogicalDeviceConfiguration()] * devices
    tf.config.set_logical_device_configuration(cpu, parts)
    names = [f"CPU:{index}" for index in range(devices)]
    return Team(tf.distribute.MirroredStrategy(names))


def main(images, cache, folder, devices=0, **options):
    """Trains 20 steps and writes all trained weights, one after the other."""
    team = make_mirrored(devices) if devices else make_team()
    keras.utils.set_random_seed(0)
    with team.strategy.scope():
        model = make_small(StepOptions(**options), learning_rate=1e-3)
    loader = PairedLoader(PairedSettings(images, None, (2, 4), 8, 4, 0, cache))
    loader.prepare()
    steps = LoopSettings(max_steps=20, summary_freq=10, log_freq=5)
    Loop(model, loader, folder, steps, team).run()
    weights = list(model.generator.trainable_variables)
    if model.average is not None:
        weights += model.average.trainable_variables
    flat = np.concatenate([weight.numpy().ravel() for weight in weights])
    np.save(f"{folder}/weights{team.index}.npy", flat)


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
