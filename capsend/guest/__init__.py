"""What runs inside a process: baked into the image, standard library only."""
