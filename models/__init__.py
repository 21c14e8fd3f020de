"""Super-resolution models: networks, losses and training steps.

To add a model, write a subclass of `models.trained.TrainedModel` in its own file and
add one line here. `models.base.Model` is the interface that scripts use.
"""

# Models without a network and without training.
BASELINES = ("bicubic",)

MODELS = {
    "4pp_eusr": "models.four_pass_eusr:FourPassEUSR",
    "bicubic": "models.bicubic:Bicubic",
    "eusr": "models.eusr:EUSR",
}

# Discriminators of 4PP-EUSR: Keras layers, made from a dtype policy and the features of
# their first convolution. They also have `first_name`, by which a checkpoint tells
# them apart, `default_features` and `count_values`, by which memory is estimated.
DISCRIMINATORS = {
    "paper": "models.discriminator:Discriminator",
    "unet": "models.unet:UNetDiscriminator",
}
