"""Read by gunicorn wherever it is started in this folder: its logs hold nothing that lets
anybody in. Addresses are written without their query (single sign-on hands its codes there) and without keys of links."""

import sys
from pathlib import Path
from typing import Any

from gunicorn.glogging import Logger

sys.path.insert(0, str(Path(__file__).parent))
from console.logs import WithoutKeys, without_keys

access_log_format = '%(h)s %(t)s "%(m)s %(U)s %(H)s" %(s)s %(b)s %(L)s "%(a)s"'


class Log(Logger):  # type: ignore[misc]
    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        self.error_log.addFilter(WithoutKeys())  # it names the address of a request that failed

    def atoms(self, resp: Any, req: Any, environ: dict[str, Any], request_time: Any) -> dict[str, Any]:
        path = without_keys(environ.get("PATH_INFO", ""))
        shown = {
            **environ,
            "PATH_INFO": path,
            "RAW_URI": path,
            "QUERY_STRING": "",
            "HTTP_REFERER": "-",
        }
        return dict(super().atoms(resp, req, shown, request_time))


logger_class = Log
