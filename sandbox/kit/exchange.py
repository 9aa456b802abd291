"""One request at a twin and, once there is one, its answer."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl


@dataclass
class Exchange:
    """What hooks and the refusals of a twin get to see. Header names are lower case."""

    id: int
    method: str
    path: str
    query: str
    at: datetime
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    status: int | None = None
    answer: bytes | None = field(default=None, repr=False)

    def json(self) -> Any:
        """The request's body as JSON."""
        return json.loads(self.body)

    def parameters(self) -> dict[str, str]:
        """The query's parameters; the last one wins where a name is repeated."""
        return dict(parse_qsl(self.query, keep_blank_values=True))

    def facts(self) -> dict[str, Any]:
        """The exchange without headers and bodies, to be shown or sent to a hook's callback address."""
        return {
            "id": self.id,
            "method": self.method,
            "path": self.path,
            "query": self.query,
            "at": self.at.isoformat(),
            "status": self.status,
        }
