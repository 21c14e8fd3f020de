"""Training under JAX, for `misc/train_jax.py`. No module imports TensorFlow.

Networks, losses, data loaders and metrics are the same as in `train.py`; this folder
has the steps, the loop and the files.
"""

MODELS = {
    "eusr": "misc.jax_training.eusr:EUSR",
    "4pp_eusr": "misc.jax_training.four_pass:FourPassEUSR",
}
