"""Training steps under JAX: gradients, Adam and the average in one compiled function.

As in `train.py`, a step updates only the weights that its scale uses, a step with
losses or gradients that are not finite changes nothing, and the average follows all
weights.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from misc.jax_training.eusr import EUSR
from misc.jax_training.network import Weights
from training.options import BasicOptions
from training.schedule import Schedule

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


def start_adam(weights: Weights) -> dict[str, Any]:
    """The moments of Adam before the first step: count, momentum, velocity."""
    return {
        "count": jnp.zeros((), jnp.int32),
        "momentum": {name: jnp.zeros_like(w) for name, w in weights.items()},
        "velocity": {name: jnp.zeros_like(w) for name, w in weights.items()},
    }


def start_state(model: EUSR, options: BasicOptions) -> dict[str, Any]:
    """Makes the state of a new run.

    Args:
        model: The model; see `Stepper`.
        options: Options of a training step.

    Returns:
        Nested dicts of arrays: `generator` and each other network by its name,
        `<network>_optimizer`, `ema` if an average is kept, and `first_bad_step`.
    """
    state: dict[str, Any] = {"first_bad_step": jnp.full((), -1, jnp.int32)}
    for item, network in model.networks.items():
        state[item] = network.initial()
        trained = {name: state[item][name] for name in network.trained()}
        state[f"{item}_optimizer"] = start_adam(trained)
    if options.ema_decay:
        state["ema"] = jax.tree.map(jnp.copy, state["generator"])
    return state


class Stepper:
    """Takes the steps of a model, on all local devices.

    Attributes:
        mesh: The devices; each takes a share of the batch, and all hold the state.
    """

    def __init__(self, model: EUSR, options: BasicOptions, steps: int = 1) -> None:
        """Takes the model; does not compile yet.

        Args:
            model: The model to train, an `EUSR` or a subclass.
            options: Options of a training step.
            steps: Number of steps in a call.
        """
        self.model, self.options, self.steps = model, options, steps
        training = model.training
        self.schedules = {
            item: Schedule(
                rate,
                training.learning_rate_decay,
                training.learning_rate_decay_steps,
                training.learning_rate_schedule,
                options.learning_rate_warmup_steps,
            )
            for item, rate in model.rates.items()
        }
        self.mesh = Mesh(np.array(jax.local_devices()), ("batch",))

    def place(self, state: dict[str, Any]) -> dict[str, Any]:
        """Copies a state to the devices."""
        return jax.device_put(state, NamedSharding(self.mesh, PartitionSpec()))

    def place_batch(self, images: np.ndarray) -> jax.Array:
        """Copies uint8 (steps, N, H, W, 3) to the devices, a share of N to each."""
        spec = PartitionSpec(None, "batch")
        return jax.device_put(images, NamedSharding(self.mesh, spec))

    def lower(
        self, scale: int, state: dict[str, Any], lr: jax.Array, hr: jax.Array
    ) -> jax.stages.Lowered:
        """Traces the steps of one scale; `.compile()` makes a function of them.

        Args:
            scale: Upscaling factor.
            state: State from `start_state`; the compiled function donates its buffers.
            lr: uint8 (steps, N, P, P, 3).
            hr: uint8 (steps, N, P * scale, P * scale, 3).

        Returns:
            The traced steps. The compiled function maps state, lr, hr, the first step,
            and the completed share of the learning rate's decay (float32; negative if
            the decay follows the step) to the next state and the values of the last
            step.
        """
        take = functools.partial(self._take_steps, scale)
        step, share = np.int32(0), np.float32(0)
        return jax.jit(take, donate_argnums=0).lower(state, lr, hr, step, share)

    def _take_steps(self, scale, state, lr, hr, first, share):
        if self.steps == 1:
            return self._take_step(scale, state, lr[0], hr[0], first, share)

        def take(state, batch):
            lr, hr, step = batch
            return self._take_step(scale, state, lr, hr, step, share)

        numbers = first + jnp.arange(self.steps, dtype=jnp.int32)
        state, values = jax.lax.scan(take, state, (lr, hr, numbers))
        return state, {name: value[-1] for name, value in values.items()}

    def _take_step(self, scale, state, lr, hr, step, share):
        lr, hr = lr.astype(jnp.float32), hr.astype(jnp.float32)
        values, gradients = self.model.differentiate(scale, state, lr, hr, step)
        norms = {item: optax.global_norm(g) for item, g in gradients.items()}
        checked = jnp.stack([*values.values(), *norms.values()])
        is_finite = jnp.isfinite(checked).all()
        after = dict(state)
        for item, gradient in gradients.items():
            rate = self._rate(item, step, share)
            moved = self._move(
                state[item], state[f"{item}_optimizer"], gradient, norms[item], rate
            )
            after[item], after[f"{item}_optimizer"] = moved
        if "ema" in state:
            # Subtract in double precision; 1 - decay is inexact in float32.
            rate = jnp.float32(1.0 - self.options.ema_decay)
            after["ema"] = jax.tree.map(
                lambda average, weight: average + rate * (weight - average),
                state["ema"],
                after["generator"],
            )
        after = jax.tree.map(lambda a, b: jnp.where(is_finite, a, b), after, state)
        is_first = ~is_finite & (state["first_bad_step"] < 0)
        after["first_bad_step"] = jnp.where(is_first, step, state["first_bad_step"])
        values["gradient_norm"] = norms.pop("generator")
        values |= {f"{item}/gradient_norm": norm for item, norm in norms.items()}
        values["learning_rate"] = self._rate("generator", step, share)
        return after, values

    def _rate(self, item, step, share):
        schedule = self.schedules[item]
        by_step = schedule.at(step)
        if schedule.kind != "cosine":
            return by_step
        return jnp.where(share < 0, by_step, schedule.at(step, share))

    def _move(self, weights, moments, gradients, norm, rate):
        """Applies Adam to weights that have a gradient; returns weights and moments."""
        most = self.options.gradient_clip_norm
        if most:
            factor = most / jnp.maximum(norm, most)
            gradients = jax.tree.map(lambda g: g * factor, gradients)
        adam = optax.ScaleByAdamState(
            moments["count"],
            *(
                {name: moments[kind][name] for name in gradients}
                for kind in ("momentum", "velocity")
            ),
        )
        # TensorFlow adds epsilon before the bias correction of the velocity.
        correction = jnp.sqrt(1.0 - BETA2 ** (moments["count"] + 1.0))
        rule = optax.scale_by_adam(BETA1, BETA2, EPSILON / correction)
        updates, adam = rule.update(gradients, adam)
        moved = {name: weights[name] - rate * updates[name] for name in updates}
        after = {
            "count": adam.count,
            "momentum": moments["momentum"] | adam.mu,
            "velocity": moments["velocity"] | adam.nu,
        }
        return weights | moved, after


def count_work(lowered: jax.stages.Lowered) -> float | None:
    """Floating-point operations of a step, as counted by XLA; None if unknown.

    XLA counts the body of a loop once, so the count is that of a single step.
    """
    found: Any = lowered.cost_analysis()
    return (found or {}).get("flops")
