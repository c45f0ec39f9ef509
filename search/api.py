"""The HTTP face, first part: search, artifacts, outcomes, health. Problems are RFC 9457 documents."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from http import HTTPStatus
from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.exceptions import HTTPException as FastAPIException
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from graph.errors import InputError, MatchgraphError, SnapshotError, TokenRefused, UnknownArtifact
from graph.events import Actor
from graph.home import Home
from graph.policy_file import named_policy
from graph.responses import ArtifactReport, Health, OutcomeResponse, SearchResponse
from search.bots import is_bot
from search.different import find_different
from search.engine import Engine, open_engine
from search.memory import SearchRequest
from search.outcomes import Caller, record_outcome
from search.query import read_where
from search.show import show_artifact

if TYPE_CHECKING:
    from inference.embedder import Encoder

SYNTHETIC_HEADER: Final = "matchgraph-synthetic"
_PROBLEM: Final = "application/problem+json"
_STOP_S: Final = 2.0
_IS_HEAD: Final = "matchgraph.head"
BODY_MAX_BYTES: Final = 65_536
_TRUE: Final = ("1", "true", "yes")


class OutcomeRequest(BaseModel):
    """The body of `POST /api/v1/outcomes`."""

    model_config = ConfigDict(extra="forbid")

    token: str = Field(max_length=200)
    kind: str = Field(max_length=20)


class Service:
    """What the handlers share: the home, and the engine of its live snapshot, reopened when that changes."""

    def __init__(self, home: Home, encoder: Encoder | None = None) -> None:
        self.home = home
        self._encoder = encoder
        self._engine: Engine | None = None
        self._opening = threading.Lock()
        self.stopped = threading.Event()

    def warm(self) -> None:
        """Open the engine and read ahead what its first searches would wait for, until the service stops."""
        with contextlib.suppress(MatchgraphError):  # whoever searches is told what is wrong
            self.engine().warm(lambda: not self.stopped.is_set())

    def engine(self) -> Engine:
        """The engine of the live snapshot.

        Raises
        ------
        SnapshotError
            Nothing is built yet, or it cannot be read.
        """
        from indexer.snapshot import current_id

        with self._opening:  # many first requests at once load one encoder
            live = current_id(self.home.snapshots)
            if self._engine is None or self._engine.snapshot.id != live:
                self._engine = open_engine(self.home, self._encoder)
                self._encoder = self._engine.encoder
            return self._engine


def create_app(home: Home, encoder: Encoder | None = None) -> FastAPI:
    """The application on an open home; the encoder is opened at the first search where none is given."""
    service = Service(home, encoder)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        warming = threading.Thread(target=service.warm, name="warm", daemon=True)
        warming.start()
        yield
        service.stopped.set()
        warming.join(_STOP_S)
        home.close()

    app = FastAPI(
        title="matchgraph",
        version=version("matchgraph"),
        summary="Which AI model or tool does X - and is it true?",
        lifespan=lifespan,
        docs_url=None,  # FastAPI's pages load scripts from elsewhere; the document itself is at /openapi.json
        redoc_url=None,
    )
    app.state.service = service
    app.add_exception_handler(MatchgraphError, _on_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_middleware(Envelope)
    _add_routes(app, service)
    return app


def _add_routes(app: FastAPI, service: Service) -> None:
    @app.get("/api/v1/search", response_model=SearchResponse)
    def search(
        response: Response,
        asked: Annotated[SearchRequest, Depends(_asked)],
        q: Annotated[str, Query(description="What it should do.", max_length=20_000)],
    ) -> SearchResponse:
        """Find artifacts by what they do; recorded, with a token per result."""
        response.headers["cache-control"] = "no-store"
        return service.engine().search(replace(asked, query=q))

    @app.get("/api/v1/different", response_model=SearchResponse)
    def different(
        response: Response,
        asked: Annotated[SearchRequest, Depends(_asked)],
        artifact: Annotated[str, Query(description="The artifact that is not wanted.", max_length=500)],
        q: Annotated[str, Query(description="How the other should differ.", max_length=20_000)] = "",
    ) -> SearchResponse:
        """Find what does the same job as an artifact, but differs as stated; recorded, with a token per result."""
        response.headers["cache-control"] = "no-store"
        return find_different(service.engine(), artifact, q, replace(asked, query=q or artifact))

    @app.get("/api/v1/artifacts/{slug}", response_model=ArtifactReport)
    def artifact(slug: str) -> ArtifactReport:
        """Everything known of an artifact."""
        return show_artifact(service.home, slug)

    @app.post("/api/v1/outcomes", response_model=OutcomeResponse, status_code=HTTPStatus.CREATED)
    def outcome(body: OutcomeRequest, caller: Annotated[Caller, Depends(_caller)]) -> OutcomeResponse:
        """Say what happened to a result: the token authorises its own outcome, once per kind."""
        return record_outcome(service.home, body.token, body.kind, caller)

    @app.get("/healthz", response_model=Health)
    def healthz() -> Health:
        """The process is alive."""
        return Health(status="ok", version=version("matchgraph"))

    @app.get("/readyz", response_model=Health)
    def readyz(response: Response) -> Health:
        """Searches can be answered: a snapshot is live and its encoder is at hand."""
        try:
            engine = service.engine()
        except MatchgraphError as error:
            response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
            return Health(status="not ready", detail=str(error), version=version("matchgraph"))
        return Health(status="ok", snapshot=engine.snapshot.id, version=version("matchgraph"))


def _asked(
    request: Request,
    limit: int = 10,
    offset: int = 0,
    type: str | None = None,
    where: Annotated[list[str] | None, Query(max_length=20)] = None,
    policy: Annotated[str | None, Query(max_length=80, description="open, default, production or strict.")] = None,
    search_id: Annotated[str | None, Query(max_length=80)] = None,
    reject: Annotated[list[str] | None, Query(max_length=20, description="Artifacts that are not wanted.")] = None,
    understand: Annotated[bool, Query(description="false takes the query as words alone.")] = True,
    explore: Annotated[bool, Query(description="false leaves out the exploration slot.")] = True,
    blind: Annotated[bool, Query(description="true scores without what the log says; explores nothing.")] = False,
) -> SearchRequest:
    """What `search` and `different` are asked, but for the query."""
    conditions = read_where(where or [], type)
    rules = None if policy is None else named_policy(policy)  # never a file: paths are the operator's
    rejected = tuple(reject or ())
    caller = _caller(request)
    return SearchRequest("", caller, limit, offset, conditions, rules, search_id, understand, rejected, explore, blind)


def _caller(request: Request) -> Caller:
    """Who calls: anonymous until keys and sessions come; bots, prefetch and marked calls are synthetic."""
    headers = request.headers
    prefetch = "prefetch" in (headers.get("sec-purpose", "") + headers.get("purpose", "")).lower()
    marked = headers.get(SYNTHETIC_HEADER, "").lower() in _TRUE
    service: Service = request.app.state.service
    looked = marked or prefetch or _IS_HEAD in request.scope
    synthetic = looked or is_bot(headers.get("user-agent", "")) or service.home.settings.synthetic
    return Caller("api", Actor(id="anonymous"), synthetic)


class Envelope:
    """Around the application: bodies are bounded, HEAD is GET without its body, every answer has safe headers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_head = scope["method"] == "HEAD"
        if is_head:
            scope = {**scope, "method": "GET", _IS_HEAD: True}
        await self._app(scope, _bounded(receive), _dressed(send, is_head=is_head))


def _bounded(receive: Receive) -> Receive:
    received = 0

    async def bounded() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > BODY_MAX_BYTES:
            # FastAPI's own class is the only one that passes its reading of a body; its own limit answers in plain text
            raise FastAPIException(413, f"a body has at most {BODY_MAX_BYTES} bytes: send less")
        return message

    return bounded


def _dressed(send: Send, *, is_head: bool) -> Send:
    async def dressed(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.setdefault("x-content-type-options", "nosniff")
            headers.setdefault("referrer-policy", "no-referrer")
        if is_head and message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return dressed


def problem(status: HTTPStatus, detail: str, **extra: Any) -> JSONResponse:
    """An RFC 9457 problem document."""
    body = {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": detail, **extra}
    return JSONResponse(body, status_code=status, media_type=_PROBLEM)


async def _on_error(_: Request, error: Exception) -> Response:
    if isinstance(error, UnknownArtifact):
        return problem(HTTPStatus.NOT_FOUND, str(error), suggestions=list(error.suggestions))
    if isinstance(error, TokenRefused):
        return problem(HTTPStatus.FORBIDDEN, str(error), reason=error.reason)
    if isinstance(error, InputError):
        return problem(HTTPStatus.BAD_REQUEST, str(error))
    if isinstance(error, SnapshotError):
        return problem(HTTPStatus.SERVICE_UNAVAILABLE, str(error))
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))


async def _on_invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    found = [{"where": ".".join(str(p) for p in e["loc"]), "what": e["msg"]} for e in error.errors()]
    said = "; ".join(f"{entry['where']}: {entry['what']}" for entry in found[:3])
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, said, errors=found)


async def _on_http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    answer = problem(HTTPStatus(error.status_code), str(error.detail))
    answer.headers.update(error.headers or {})  # Allow, beside 405
    return answer
