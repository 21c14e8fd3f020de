"""What the epochs of a training came to."""

import csv
import io
import json

import tensorflow as tf

COLUMNS = (
    *("epoch", "loss", "validation_loss", "validation_srcc", "validation_lcc"),
    *("images_per_second", "waiting_share"),
)


class History(tf.train.experimental.PythonState):
    """What the epochs came to, kept in the state of a run.

    Attributes:
        epochs: list of dict, a value for each of `COLUMNS`, of those that are finished.
        present: dict, of the one that is not: `first_step`, the steps before it, and
            what its training took so far, `seconds`, `waited` (seconds of them) and
            `images`.
        pictures: dict, how many each part of the data set has.
    """

    def __init__(self):
        """No epoch is begun yet."""
        super().__init__()
        self.epochs, self.pictures = [], {}
        self.begin(0)

    def begin(self, first_step):
        """Begins an epoch after so many steps."""
        self.present = {"first_step": first_step}
        self.present |= {"seconds": 0.0, "waited": 0.0, "images": 0}

    def add(self, **taken):
        """Adds to what the present epoch took."""
        for name, value in taken.items():
            self.present[name] += value

    def serialize(self):
        """Writes all of it."""
        return json.dumps([self.epochs, self.present, self.pictures])

    def deserialize(self, text):
        """Reads it."""
        self.epochs, self.present, self.pictures = json.loads(text)

    def to_table(self):
        """The finished epochs as the text of a CSV file."""
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.epochs)
        return text.getvalue()
