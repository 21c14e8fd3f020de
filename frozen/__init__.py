"""Frozen graphs: one `.pb` file with network and weights, readable by TF 1.15."""
