"""The packages that are baked into the image besides the standard library; the build writes the real lists."""

PACKAGES: tuple[tuple[str, tuple[str, ...], bool], ...] = ()
"""(name, modules to import, whether native code was left out) of each package."""

FILES: tuple[str, ...] = ()
"""The packages' files beside their modules, by the path below the folder of packages."""
