"""The packages that are baked into the image besides the standard library; the build writes the real lists."""

PACKAGES: tuple[tuple[str, tuple[str, ...], bool], ...] = ()
"""Of each its name, what is imported of it, and whether native code of it was left out."""

FILES: tuple[str, ...] = ()
"""What they have beside their modules, by the path below the folder of packages."""
