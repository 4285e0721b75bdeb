"""The packages that are baked into the image besides the standard library; the build writes the real list."""

PACKAGES: tuple[str, ...] = ()
