"""What models are trained on: loaders of images, chosen by a flag.

To add a data set of LR and HR images, write a subclass of
`dataloaders.paired.PairedLoader` in a file of its own and one line here.
"""

PAIRED = {
    # The name that the TF1 code knew it by.
    "basic_loader": "dataloaders.div2k:DIV2K",
    "div2k": "dataloaders.div2k:DIV2K",
}
