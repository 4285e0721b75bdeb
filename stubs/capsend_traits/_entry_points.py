"""The group of entry points by which packages announce their declarations; a module of its own, since most runs need no more."""

from typing import Final

GROUP: Final = "capsend.traits"
