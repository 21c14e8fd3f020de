"""Training steps under JAX: gradients, Adam and the average in one compiled function.

As in `train.py`, a step updates only the weights that its scale uses, a step with
losses or gradients that are not finite changes nothing, and the average follows all
weights.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from console.errors import InputError
from misc.jax_training.eusr import EUSR
from training.schedule import Schedule

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
MOMENTS = ("momentum", "velocity")

# From an item's name to its arrays by name, and to the array of `first_bad_step`.
State = dict[str, Any]


def start_state(model: EUSR) -> State:
    """Makes the state of a new run.

    It has each network by its name, such as `generator`, its `<name>_optimizer`, `ema`
    if an average is kept, and `first_bad_step`.
    """
    state: State = {"first_bad_step": jnp.full((), -1, jnp.int32)}
    for item, network in model.networks.items():
        state[item] = network.initial()
        state[f"{item}_optimizer"] = {"count": jnp.zeros((), jnp.int32)} | {
            f"{moment}/{name}": jnp.zeros_like(state[item][name])
            for moment in MOMENTS
            for name in network.trained()
        }
    if model.options.ema_decay:
        state["ema"] = jax.tree.map(jnp.copy, state["generator"])
    return state


class Stepper:
    """Takes the steps of a model, on all local devices.

    Attributes:
        mesh: The devices; each takes a share of the batch, and all hold the state.
        call: Function that JAX can compile for each scale, its first argument. Maps
            state (whose buffers it takes over), lr and hr (uint8 (steps, N, H, W, 3)),
            the first step, and the completed share of the learning rate's decay
            (float32; negative if the decay follows the step) to the next state and the
            values of the last step.
    """

    def __init__(self, model: EUSR, steps: int = 1) -> None:
        """Takes the model and the number of steps in a call; does not compile yet."""
        self.model, self.options, self.steps = model, model.options, steps
        self.schedules = {
            item: Schedule.of(
                model.training,
                rate,
                self.options.learning_rate_warmup_steps,
                model.training.held_steps if item == "generator" else 0,
            )
            for item, rate in model.rates.items()
        }
        self.mesh = Mesh(np.array(jax.local_devices()), ("batch",))
        self.call = jax.jit(self._take_steps, static_argnums=0, donate_argnums=1)

    def check_batch_size(self, batch_size: int) -> None:
        """Refuses batches that the devices cannot share."""
        if batch_size % self.mesh.size:
            raise InputError(
                f"--batch_size={batch_size}: cannot be shared by {self.mesh.size} "
                "devices; give a multiple."
            )

    def place(self, state: State) -> State:
        """Copies a state to the devices."""
        return jax.device_put(state, NamedSharding(self.mesh, PartitionSpec()))

    def place_batch(self, images: np.ndarray) -> jax.Array:
        """Copies uint8 (steps, N, H, W, 3) to the devices, a share of N to each."""
        spec = PartitionSpec(None, "batch")
        return jax.device_put(images, NamedSharding(self.mesh, spec))

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
        is_finite = jnp.isfinite(jnp.stack([*values.values(), *norms.values()])).all()
        rates = {item: self._rate(item, step, share) for item in gradients}
        after = dict(state)
        for item, gradient in gradients.items():
            after[item], after[f"{item}_optimizer"] = self._move(
                state[item],
                state[f"{item}_optimizer"],
                gradient,
                norms[item],
                rates[item],
            )
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
        return after, values | {"learning_rate": rates["generator"]}

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
        momentum, velocity = (
            {name: moments[f"{moment}/{name}"] for name in gradients}
            for moment in MOMENTS
        )
        # TensorFlow adds epsilon before the bias correction of the velocity.
        correction = jnp.sqrt(1.0 - BETA2 ** (moments["count"] + 1.0))
        rule = optax.scale_by_adam(BETA1, BETA2, EPSILON / correction)
        before = optax.ScaleByAdamState(moments["count"], momentum, velocity)
        updates, adam = rule.update(gradients, before)
        moved = {name: weights[name] - rate * updates[name] for name in updates}
        after = {"count": adam.count}
        for moment, arrays in zip(MOMENTS, (adam.mu, adam.nu), strict=True):
            after |= {f"{moment}/{name}": array for name, array in arrays.items()}
        return weights | moved, moments | after


def count_work(lowered: jax.stages.Lowered) -> float | None:
    """Floating-point operations of a step, as counted by XLA; None if unknown.

    XLA counts the body of a loop once, so the count is that of a single step.
    """
    found: Any = lowered.cost_analysis()
    return (found or {}).get("flops")
