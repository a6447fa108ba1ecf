"""A Google Cloud Storage on this machine: python -m tests.gcs_server BUCKET prints its port, and serves until killed.

It is gcp-storage-emulator, which takes no notice of preconditions, with the one that the store relies on before it:
``ifGenerationMatch=0`` is refused with 412 where the object exists, decided under a lock. It runs as a process of its
own, since pyarrow holds the interpreter's lock while it waits for an answer.
"""

import io
import json
import re
import sys
import threading
from functools import partial
from http.server import ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from gcp_storage_emulator.exceptions import NotFound
from gcp_storage_emulator.handlers.buckets import create_bucket
from gcp_storage_emulator.server import RequestHandler
from gcp_storage_emulator.storage import Storage

LOCK = threading.Lock()
UPLOAD = re.compile(r"/upload/storage/v1/b/([^/]+)/o")


class Handler(RequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.rfile = io.BytesIO(body)
        parts = urlsplit(self.path)
        query = parse_qs(parts.query)
        upload = UPLOAD.fullmatch(parts.path)
        with LOCK:
            if upload and query.get("ifGenerationMatch") == ["0"] and self.exists(upload[1], query, body):
                answer = json.dumps({"error": {"code": 412, "message": "At least one pre-condition failed"}})
                self.send_response(412)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer.encode())
            else:
                super().do_POST()

    def exists(self, bucket, query, body):
        name = query["name"][0] if "name" in query else json.loads(re.search(rb"\{.*?\}", body)[0])["name"]
        try:
            self.storage.get_file_obj(bucket, name)
        except NotFound:
            return False
        return True


def main() -> None:
    storage = Storage(use_memory_fs=True)
    create_bucket(sys.argv[1], storage)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, storage))
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
