"""Authority as seen by observers: logs, audit events, `capsend explain` and the plugin."""

from decimal import Decimal

from capsend import Dir, spawn
from capsend.capabilities.host_functions import HostCall
from tests.capabilities.pricing import PATIENCE, OutOfStock, error_of, price, result


def test_every_call_can_be_logged():
    """Calls that returned, that raised and that were refused."""
    calls: list[HostCall] = []
    logged = price.limited(log=calls.append)
    process = spawn(lambda: [error_of(logged, sku)[0] for sku in ("tea", "gone", 3)])
    assert process.result(timeout=PATIENCE) == ["no error", "RuntimeError", "TypeError"]
    assert [(call.process, call.function, call.outcome) for call in calls] == [
        (process.id, "price", "returned"), (process.id, "price", "raised"), (process.id, "price", "refused"),
    ]  # fmt: skip
    assert calls[0].arguments == {"sku": "tea"}
    assert isinstance(calls[1].error, OutOfStock)
    assert all(call.seconds >= 0 for call in calls)


def test_log_that_fails_changes_nothing(caplog):
    """It is logged itself."""

    def fail(call: HostCall) -> None:
        raise ValueError("log")

    logged = price.limited(log=fail)
    assert result(lambda: logged("tea")) == Decimal("1.5")
    assert "the log of price raised an exception" in caplog.text


AUDIT = """
    import sys, tempfile
    from capsend import Dir, Environment, host_function
    seen = []

    def hook(event, args):
        if event.startswith("capsend."):
            seen.append((event, args))
            if event == "capsend.host_call" and args[2] == {"sku": "forbidden"}:
                raise PermissionError("not this one")
            if event == "capsend.spawn" and "forbidden" in args[1]:
                raise PermissionError("not this one")

    @host_function
    def price(sku: str) -> int:
        return len(sku)

    folder = Dir(tempfile.gettempdir())

    def work():
        folder, price("tea")
        try:
            price("forbidden")
        except PermissionError as error:
            return str(error)

    def forbidden():
        pass

    if __name__ == "__main__":
        sys.addaudithook(hook)
        process = Environment().spawn(work)
        assert process.result() == "not this one"
        n = process.id
        assert sorted(seen, key=str) == sorted([
            ("capsend.spawn", (n, "work")),
            ("capsend.grant", (n, "dir", f"the folder {folder} (read only)")),
            ("capsend.grant", (n, "function", "the host's function price(sku: 'str') -> 'int'".replace("'str'", "str").replace("'int'", "int"))),
            ("capsend.host_call", (n, "price", {"sku": "tea"})),
            ("capsend.host_call", (n, "price", {"sku": "forbidden"})),
        ], key=str), seen
        try:
            Environment().spawn(forbidden)
        except PermissionError:
            print("audited")
"""


def test_audit_events_tell_of_spawns_grants_and_calls(run_script):
    """And a hook that raises refuses the spawn, or the call."""
    done = run_script(AUDIT)
    assert done.stdout == "audited\n", done.stderr


def test_explanation_lists_what_may_be_touched(tree):
    """From the captures alone."""
    from capsend.commands.explain import explain

    folder, few = Dir(tree, write=True), price.limited(calls=3)
    lines = list(explain(lambda: (folder, few)).lines())
    start = next(index for index, line in enumerate(lines) if "it may touch" in line)
    assert sorted(line.strip() for line in lines[start:]) == [
        "yes it may touch, besides its arguments",
        f"yes the folder {tree} (read and write)",
        "yes the host's function price(sku: str, count: int = 1) -> decimal.Decimal, at most 3 calls",
    ]


def test_plugin_takes_the_capture_of_a_right(tmp_path, checked):
    """Dir, HostFunction and Address are ProcessSend to mypy as well, and a call inside is checked like any other."""
    program = tmp_path / "rights.py"
    program.write_text(
        "from capsend import Address, Dir, HostFunction, host_function, spawn\n"
        "@host_function\n"
        "def price(sku: str) -> int:\n"
        "    return len(sku)\n"
        "data = Dir('/')\n"
        "def work(folder: Dir, sell: HostFunction[[str], int], to: Address[int]) -> int:\n"
        "    return len((folder / 'x').read_text()) + sell('a') + price('b') + len(list(data.glob('*')))\n"
        "def start(to: Address[int]) -> None:\n"
        "    spawn(work, data, price, to)\n"
        "    spawn(lambda: to.send(1))\n"
        "    price(3)\n"
    )
    done = checked(tmp_path, "rights.py")
    assert done.stdout.splitlines()[:-1] == [
        'rights.py:11: error: Argument 1 to "__call__" of "HostFunction" has incompatible type "int"; expected "str"  [arg-type]'
    ]
