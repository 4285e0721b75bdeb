"""Images on nodes: a file crosses once, by its digest; packages have to be there, and the error has the command that helps."""

from __future__ import annotations

import importlib.metadata
import os
from pathlib import Path

import pytest

from capsend import Cluster, Environment, Image, ImageError
from capsend.cluster.images import Images, check, parts_of
from capsend.cluster.items import Item, Malformed

FILE = os.environ.get("CAPSEND_IMAGE_FILE", "")


def test_packages_that_a_node_lacks_are_named_with_the_command_that_installs_them():
    image = Image(packages=("click",))
    has = importlib.metadata.version("click")
    assert f"click=={has}" in image.requirements
    with pytest.raises(ImageError) as caught:
        check(image, image.content_key, ["click==0.0.1", "no-such-package==2.0"])
    assert f"click is {has} on this node and 0.0.1 at home; no-such-package is missing on this node" in str(
        caught.value
    )
    assert "Run on the node's machine: pip install click==0.0.1 no-such-package==2.0. Or send the image" in str(
        caught.value
    )
    with pytest.raises(
        ImageError, match=r"though the versions are the same.*pip install --force-reinstall capsend click=="
    ):
        check(image, "another", image.requirements)
    check(image, image.content_key, image.requirements)


def test_file_that_home_sends_is_taken_in_parts_once(tmp_path: Path):
    """A file that is not an image is an error of the process that needs it; sending it again ends the connection."""
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * 10)
    digest = "ab" * 32
    parts = list(parts_of(path, size=1000))
    assert [(len(part), is_last) for part, is_last in parts] == [(1000, False), (1000, False), (560, True)]
    images = Images()
    try:
        with pytest.raises(Malformed, match="not sent"):
            images.image(digest)
        for part, is_last in parts:
            images.take(Item("image", [digest, is_last], part))
        with pytest.raises(ImageError, match="is not an image"):
            images.image(digest)
        with pytest.raises(Malformed, match="each once"):
            images.take(Item("image", [digest, True], b"more"))
    finally:
        images.close()


@pytest.mark.skipif(
    not FILE or os.environ.get("CAPSEND_CLUSTER") != "1",
    reason="the long form, with a file of `capsend image build --output`",
)
def test_process_on_a_node_starts_from_the_image_of_a_file():
    with Cluster.local(1, lost_after=120.0) as cluster:
        on = Environment(on=cluster, image=Image.from_file(FILE))
        assert [on.spawn(lambda n: n + 1, n).result(600) for n in range(2)] == [1, 2]
        assert len(cluster.nodes[0]._member.images) == 1
