"""The rights of a process are fixed when it starts: no message can contain a folder or a host function."""

import threading

from capsend import Dir, HostFunction, Mailbox, WasmModule, process, spawn

folder = Dir("/")


@process
def folders(inbox: Mailbox[Dir]) -> None:  # E: a message in "inbox" is Dir, which cannot be sent
    print(inbox)


@process
def pairs(inbox: Mailbox[tuple[str, HostFunction[[int], int]]]) -> None:  # E: a message in "inbox[1]" is HostFunction
    print(inbox)


with Mailbox[object]() as anything:
    anything.address.send(folder)  # E: argument "value" is Dir, which cannot be sent  [capsend-argument]
    # N: which folders a process may use is settled when it starts
    anything.address.send_after(1, [folder])  # E: argument "value[...]" is Dir
    anything.address.send(threading.Lock())  # E: argument "value" is lock, which is not Serializable

compiled = spawn(WasmModule.from_wat("(module)").function("f"), b"", folder)
compiled.send((b"", (folder,)))  # E: argument "value[1][0]" is Dir
