"""A door before a server: open it passes everything on, shut it refuses connections, as a server that is down does."""

import socket
import threading
from contextlib import suppress


class Door:
    """Listens on a port of its own and forwards to `target`, (host, port)."""

    def __init__(self, target):
        self.target, self.pairs, self.listener = target, [], None
        self.moves = threading.Lock()
        # Bound and never listening: it keeps the port ours while the door is shut, and refuses as nobody would.
        self.place = socket.socket()
        self.place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self.place.bind(("127.0.0.1", 0))
        self.port = self.place.getsockname()[1]
        self.open()

    def open(self):
        self.listener = socket.create_server(("127.0.0.1", self.port), reuse_port=True)
        threading.Thread(target=self._accept, args=[self.listener], daemon=True).start()

    def shut(self):
        """Refuse new connections and cut the ones there are, also one that is just coming in."""
        with self.moves:
            listener, self.listener = self.listener, None
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            for pair in self.pairs:
                for end in pair:
                    with suppress(OSError):
                        end.shutdown(socket.SHUT_RDWR)
            self.pairs.clear()

    def _accept(self, listener):
        while True:
            try:
                near, _address = listener.accept()
                far = socket.create_connection(self.target)
            except OSError:
                return
            with self.moves:
                if self.listener is not listener:  # shut since it was accepted
                    near.close()
                    far.close()
                    return
                self.pairs.append((near, far))
            for source, goal in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=[source, goal], daemon=True).start()

    @staticmethod
    def _pump(source, goal):
        with suppress(OSError):
            while data := source.recv(65536):
                goal.sendall(data)
        for end in (source, goal):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
