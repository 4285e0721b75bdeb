"""Records of `logging` in a process reach the loggers of the host."""

from __future__ import annotations

import pytest

from capsend import spawn
from tests.mailbox.counting import PATIENCE

pytestmark = pytest.mark.usefixtures("everywhere")


def test_log_records_reach_the_host(caplog):
    """A process that has not set up logging logs to the host's, with its number."""

    def work():
        import logging

        logging.getLogger("shop.orders").warning("order %d is late", 7)

    with caplog.at_level("WARNING", "capsend.process"):
        p = spawn(work)
        p.result(PATIENCE)
    record = caplog.records[-1]
    assert (record.levelname, record.process_id, record.process_logger) == ("WARNING", p.id, "shop.orders")
    assert "order 7 is late" in record.getMessage()


@pytest.mark.parametrize("by_level", [False, True])
def test_functions_of_logging_reach_the_host(caplog, by_level):
    """`logging.warning` and a `basicConfig` that says nothing of handlers set up none: the host's logging has it."""

    def inside() -> None:
        import logging

        if by_level:
            logging.basicConfig(level=logging.INFO)
        logging.warning("told")  # noqa: LOG015 - what it is about

    with caplog.at_level("WARNING", "capsend.process"):
        p = spawn(inside)
        p.result(PATIENCE)
    assert [(record.process_id, record.process_logger) for record in caplog.records] == [(p.id, "root")]


def test_level_of_the_host_applies_inside(caplog):
    """Only records that the host would show are sent."""

    def work():
        import logging

        logging.getLogger("shop").info("told")

    spawn(work).result(PATIENCE)
    assert not [r for r in caplog.records if "told" in r.getMessage()]
    with caplog.at_level("INFO", "capsend.process"):
        spawn(work).result(PATIENCE)
    assert [r for r in caplog.records if "told" in r.getMessage()]
