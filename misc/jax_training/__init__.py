"""Training under JAX: what `misc/train_jax.py` is made of. Nothing imports TensorFlow.

Networks, losses, data loaders and metrics are those that `train.py` uses; here are the
steps, the loop and the files.
"""

MODELS = {
    "eusr": "misc.jax_training.eusr:EUSR",
    "4pp_eusr": "misc.jax_training.four_pass:FourPassEUSR",
}
