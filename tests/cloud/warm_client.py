"""What Ansible starts as a module's interpreter: see warm.py. It imports little, since it is started for each module."""

import json
import os
import socket
import sys

with socket.socket(socket.AF_UNIX) as server:
    server.connect(sys.argv[1])
    given = json.dumps({"environment": dict(os.environ)}).encode()
    socket.send_fds(server, [given], [0, 1, 2, os.open(".", os.O_RDONLY)])
    sys.exit(int(server.recv(16) or 1))
