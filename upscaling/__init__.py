"""How a picture of any kind and size goes through a network."""
