"""Configuration of gunicorn: the worker, trusted proxies, and logs without secrets.

URLs are logged without their query (single sign-on sends codes in it) and without the keys of links.
"""

import os
import sys
from pathlib import Path
from typing import Any

from gunicorn.glogging import Logger

sys.path.insert(0, str(Path(__file__).parent))
from console.connections.waiting import limit_waiting
from console.logs import SecretsFilter, mask_secrets

worker_class = "console.gunicorn_worker.BufferingWorker"
preload_app = True  # loaded once, for all workers: a faster start, and less memory
limit_request_line = 0  # the worker limits the headers; the API says which addresses are too long
control_socket_disable = True  # nothing uses it, and all servers of a user would share it
# Only these proxies may say that the browser used HTTPS. No proxy may change the path.
forwarded_allow_ips = os.environ.get("TRUSTED_PROXIES", "")
secure_scheme_headers = {"X-FORWARDED-PROTO": "https"}
forwarder_headers = ""


def post_worker_init(worker: Any) -> None:
    """A platform that hangs must not occupy all threads."""
    limit_waiting(worker.cfg.threads)


access_log_format = '%(h)s %(t)s "%(m)s %(U)s %(H)s" %(s)s %(b)s %(L)s "%(a)s"'


class Log(Logger):  # type: ignore[misc]
    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        self.error_log.addFilter(SecretsFilter())  # it logs the URL of a failed request

    def atoms(self, resp: Any, req: Any, environ: dict[str, Any], request_time: Any) -> dict[str, Any]:
        path = mask_secrets(environ.get("PATH_INFO", ""))
        masked = {
            **environ,
            "PATH_INFO": path,
            "RAW_URI": path,
            "QUERY_STRING": "",
            "HTTP_REFERER": "-",
        }
        return dict(super().atoms(resp, req, masked, request_time))


logger_class = Log
