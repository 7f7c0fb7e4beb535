"""/metrics and the two health paths: which of the ready bytes a scraper gets. Measures nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus

from agent.web import Request, Response, Route
from collectors.exposition import OPENMETRICS, TEXT, Exposition, only

_OPENMETRICS_KIND = "application/openmetrics-text"


def scrape_routes(current: Callable[[], Exposition | None], is_ready: Callable[[], bool]) -> Mapping[str, Route]:
    """The paths that Prometheus and supervisors know."""
    return {
        "/metrics": lambda request: metrics(request, current()),
        "/-/healthy": lambda _: Response(b"healthy\n"),
        "/-/ready": lambda _: Response(b"ready\n") if is_ready() else _NOT_YET,
    }


_NOT_YET = Response(b"not ready yet\n", status=HTTPStatus.SERVICE_UNAVAILABLE, headers={"Retry-After": "1"})


def metrics(request: Request, exposition: Exposition | None) -> Response:
    """The exposition in the form that the scraper prefers, of the collectors that it asked for."""
    if exposition is None:
        return _NOT_YET
    collect, exclude = request.query.get("collect[]", ()), request.query.get("exclude[]", ())
    if collect or exclude:
        if collect and exclude:
            return Response(b"collect[] and exclude[] cannot be combined\n", status=HTTPStatus.BAD_REQUEST)
        if {*collect} - exposition.collectors:  # an unknown name in exclude[] is harmless, as with node_exporter
            return Response(b"there is no such collector\n", status=HTTPStatus.BAD_REQUEST)
        exposition = only(exposition, collect, exclude)
    is_openmetrics = wants_openmetrics(request.headers.get("Accept", ""))
    headers = {"Vary": "Accept, Accept-Encoding"}
    if accepts_gzip(request.headers.get("Accept-Encoding", "")):
        headers["Content-Encoding"] = "gzip"
        body = exposition.openmetrics_gzip if is_openmetrics else exposition.text_gzip
    else:
        body = exposition.openmetrics if is_openmetrics else exposition.text
    return Response(body, OPENMETRICS if is_openmetrics else TEXT, headers=headers)


def wants_openmetrics(accept: str) -> bool:
    """True when the scraper names OpenMetrics and likes it at least as well as text."""
    weights = _weights(accept)
    liked = weights.get(_OPENMETRICS_KIND, 0.0)
    return liked > 0 and liked >= weights.get("text/plain", 0.0)


def accepts_gzip(accept_encoding: str) -> bool:
    """True when the scraper can unpack gzip."""
    weights = _weights(accept_encoding)
    return weights.get("gzip", weights.get("*", 0.0)) > 0


def _weights(header: str) -> dict[str, float]:
    """Kinds and the highest q of each; what cannot be read weighs nothing."""
    weights: dict[str, float] = {}
    for part in header[:2000].split(","):
        kind, *parameters = (word.strip().lower() for word in part.split(";"))
        weight = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    weight = float(parameter[2:])
                except ValueError:
                    weight = 0.0
        weights[kind] = max(weights.get(kind, 0.0), weight)
    return weights
