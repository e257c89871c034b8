"""A web shop of two pages. What they say is in shop.py."""

import os
import signal
import threading
import time
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer

import shop


class Page(BaseHTTPRequestHandler):
    """Answers /health, and every other path with the shop's page."""

    def do_GET(self) -> None:
        """Called by the server."""
        status, text = shop.health() if self.path == "/health" else (200, shop.page())
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Good answers are not worth a line."""
        if code != 200:
            super().log_request(code, size)


class Server(ThreadingTCPServer):
    """Has room for those who wait, and ends only when everybody was answered."""

    allow_reuse_address = True
    request_queue_size = 128


def main() -> None:
    """Serves until SIGTERM, and then until nobody is sent here any more."""
    server = Server((os.environ["POD_IP"], int(os.environ["PORT"])), Page)

    def end() -> None:
        time.sleep(0.5)  # meanwhile the Service learns that this pod is going
        server.shutdown()

    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=end).start())
    print(f"serving on {os.environ['POD_IP']}:{os.environ['PORT']}")
    server.serve_forever(poll_interval=0.05)
    server.server_close()
    print("ended: nobody was left waiting")


if __name__ == "__main__":
    main()
