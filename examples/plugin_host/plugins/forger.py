"""A plug-in that bypasses the checks of the guest, and sends the host forged handles and garbage."""

import importlib


def main():
    request = importlib.import_module("capsend_guest.host_operations").request
    payloads = [f'{number}:c[["tea"],{{}}]' for number in range(3, 50)]
    payloads += ["", ":", "0:", "0:k0280", "0:" + "[" * 100_000, '0:g1a:[["x",{"n":["os","system"]}]]']
    return sorted({request(40, payload)[:1] for payload in payloads})
