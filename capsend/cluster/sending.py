"""Sending of calls to a node, with the image file or the module that the node lacks."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from capsend.cluster.images import parts_of
from capsend.cluster.items import PART, joined
from capsend.cluster.terms import terms_of
from capsend.runtime.home import THIS_PROGRAM
from capsend.wasm.compiled import source_of

if TYPE_CHECKING:
    from capsend.cluster.lives import RemoteLife
    from capsend.cluster.members import Member
    from capsend.image.image import Image


def send_call(node: Member, life: RemoteLife, references: list[list[Any]]) -> None:
    """Send a node the call of a Python function; *references* are those of its handles."""
    shipment, environment, image = life.shipment, life.environment, life.environment.image
    sizes, body = joined((shipment.program, shipment.call), shipment.segments)
    reuse = shipment.reuse
    fields = (
        life.number,
        shipment.name[:200],
        shipment.takes_mailbox,
        reuse.number if reuse is not None and reuse.is_repeated else 0,
        *terms_of(environment),
        [] if image.file is not None else list(image.packages),
        list(image.requirements),
        _image_for(node, image),
        image.content_key,
        environment.stdout is not None,
        environment.stderr is not None,
        THIS_PROGRAM.log_level,
        references,
        sizes,
    )
    node.peer.put("spawn", fields, body)


def _image_for(node: Member, image: Image) -> str:
    """Send an image file to a node if it lacks it.

    Returns:
        The digest of the file; empty for an image without a file.
    """
    file = image.file
    if file is None:
        return ""
    if file.digest not in node.images:
        for part, is_last in parts_of(file.path, size=PART):
            node.peer.put("image", (file.digest, is_last), part)
        node.images.add(file.digest)
    return file.digest


def send_module(node: Member, life: RemoteLife, references: list[list[Any]]) -> None:
    """Send a node the call of a function of a module, and the module if the node lacks it; see `send_call`."""
    shipment, environment = life.shipment, life.environment
    source = source_of(shipment.template)
    digest = hashlib.sha256(source).hexdigest()
    if digest not in node.modules:
        node.modules.add(digest)
        node.peer.put("module", (digest,), source)
    limits, full, variables = terms_of(environment)
    fields = (
        life.number,
        digest,
        shipment.template.name,
        shipment.entry,
        shipment.name[:200],
        limits,
        full,
        variables,
        environment.stdout is not None,
        environment.stderr is not None,
        references,
        [len(shipment.argument)],
    )
    node.peer.put("run", fields, shipment.argument)
