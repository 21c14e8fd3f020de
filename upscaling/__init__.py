"""Upscaling of pictures of any kind and size with a network."""
