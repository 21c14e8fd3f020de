"""Loaders of training images, chosen by a flag.

To add a data set, write a subclass of `dataloaders.paired.PairedLoader` (LR and HR
images) or of `dataloaders.scored.ScoredLoader` (images and their scores) in a file of
its own, and add one line here.
"""

PAIRED = {
    # The TF1 code's name for it.
    "basic_loader": "dataloaders.paired:DIV2K",
    "div2k": "dataloaders.paired:DIV2K",
}

SCORED = {
    "ava": "dataloaders.ava:AVA",
    "tid2013": "dataloaders.tid2013:TID2013",
}
