"""The code of a guest: baked into the image, standard library only."""
