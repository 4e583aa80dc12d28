"""An HTTP server that answers POST requests as it is told to."""

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from waiting import LONG_S


@dataclass(frozen=True)
class Posted:
    path: str
    headers: Message
    body: bytes


class Receiver:
    """answers: what is said to one request after the other, then 200 to all. Each is a status, or a
    status with headers, or "cut": the connection ends after the body, without an answer."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.posts: queue.SimpleQueue[Posted] = queue.SimpleQueue()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                answer = receiver.answers.pop(0) if receiver.answers else 200
                receiver.posts.put(Posted(self.path, self.headers, body))
                if answer == "cut":
                    self.close_connection = True
                    return
                status, headers = answer if isinstance(answer, tuple) else (answer, {})
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(b"the receiver's\n words")

            def do_GET(self):
                receiver.posts.put(Posted(f"GET {self.path}", self.headers, b""))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/parcels"

    def next_post(self) -> Posted:
        return self.posts.get(timeout=LONG_S)


@contextmanager
def receiving(*answers) -> Iterator[Receiver]:
    receiver = Receiver(*answers)
    thread = threading.Thread(target=receiver.server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield receiver
    finally:
        receiver.server.shutdown()
        thread.join()
        receiver.server.server_close()
