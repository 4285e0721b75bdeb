"""The packages baked into the image on top of the standard library; the build writes the real lists."""

PACKAGES: tuple[tuple[str, tuple[str, ...], bool], ...] = ()
"""(name, modules to import, whether native code was left out) of each package."""

FILES: tuple[str, ...] = ()
"""The packages' data files, by their path below the packages' folder."""
