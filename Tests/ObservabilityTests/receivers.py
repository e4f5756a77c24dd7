"""What notifications are sent to: a web server and a mail server that keep what they are given."""

import json
import socketserver
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HOST = "127.0.0.1"


class WebReceiver:
    """Keeps the path and the JSON of each POST."""

    def __init__(self, address: str = HOST):
        self.address = address
        received = self.received = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                received.append((self.path, json.loads(body)))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer((address, 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def alerts(self, path: str) -> list[tuple[str, str]]:
        """Status and name of each alert that a path has received, in order."""
        return [(alert["status"], alert["labels"]["alertname"])
                for at, message in self.received if at == path for alert in message["alerts"]]

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class MailReceiver:
    """Takes every mail, with as much of SMTP (RFC 5321) as that needs."""

    def __init__(self):
        received = self.received = []

        class Handler(socketserver.StreamRequestHandler):
            def answer(self, text: str):
                self.wfile.write(text.encode() + b"\r\n")

            def handle(self):
                self.answer("220 test")
                for line in self.rfile:
                    command = line[:4].upper()
                    if command == b"DATA":
                        self.answer("354 go on")
                        lines = []
                        for text in self.rfile:
                            if text == b".\r\n":
                                break
                            lines.append(text)
                        received.append(b"".join(lines).decode())
                    self.answer("221 bye" if command == b"QUIT" else "250 ok")
                    if command == b"QUIT":
                        return

        self.server = socketserver.ThreadingTCPServer((HOST, 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
