"""The group of entry points by which packages announce their declarations. A separate module, since most runs need nothing else."""

from typing import Final

GROUP: Final = "capsend.traits"
