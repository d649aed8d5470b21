"""FastAPI on uvicorn (uvloop, httptools); with ACCESS_LOG=true one JSON line per request from the logging module."""

import json
import logging
import math
import os
import re
import sys
import time
from typing import Annotated
from unicodedata import category

import uvicorn
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]


class Payload(BaseModel):
    model_config = ConfigDict(extra="forbid")
    numbers: Annotated[list[Number], Field(min_length=1, max_length=1_000_000)]
    text: Annotated[str, Field(strict=True, min_length=1, max_length=1_000_000)]


class NumericAnalysis(BaseModel):
    count: int
    minimum: float
    maximum: float
    mean: float
    median: float
    standard_deviation: float


class TextAnalysis(BaseModel):
    word_count: int
    character_count: int
    character_count_no_spaces: int
    sentence_count: int
    paragraph_count: int


class Summary(BaseModel):
    numeric_analysis: NumericAnalysis
    text_analysis: TextAnalysis
    processing_time_ms: float


def analyze_numbers(numbers: list[float]) -> NumericAnalysis:
    ordered = sorted(numbers)
    count = len(ordered)
    mean = math.fsum(ordered) / count
    squares = math.fsum((x - mean) ** 2 for x in ordered)
    return NumericAnalysis(
        count=count,
        minimum=ordered[0],
        maximum=ordered[-1],
        mean=mean,
        median=(ordered[(count - 1) // 2] + ordered[count // 2]) / 2,
        standard_deviation=math.sqrt(squares / (count - 1)) if count > 1 else 0.0,
    )


# Unicode closing punctuation and quotes, plus the ASCII quotes.
CLOSING = "\"'" + re.escape("".join(c for c in map(chr, range(0x10000)) if category(c) in ("Pe", "Pi", "Pf")))
SENTENCE_END = re.compile(rf"[!?…。！？]|\.(?=[\s{CLOSING}]|\Z)")
SENTENCE_CONTENT = re.compile(rf"[^\s.{CLOSING}]")
LINE_BREAK = re.compile("[\n\r\u2028\u2029]")


def pieces(separator: re.Pattern[str], text: str) -> int:
    """Count the pieces that contain more than white space."""
    return sum(1 for piece in separator.split(text) if piece and not piece.isspace())


def analyze_text(text: str) -> TextAnalysis:
    return TextAnalysis(
        word_count=len(text.split()),
        character_count=len(text),
        character_count_no_spaces=len(text) - text.count(" "),
        sentence_count=sum(1 for piece in SENTENCE_END.split(text) if SENTENCE_CONTENT.search(piece)),
        paragraph_count=pieces(LINE_BREAK, text),
    )


app = FastAPI()


@app.exception_handler(RequestValidationError)
async def handle_validation_error(_: Request, error: RequestValidationError) -> JSONResponse:
    """Omit the input: FastAPI's own handler repeats it and fails with 500 if it contains an infinity."""
    errors = [{key: item[key] for key in ("loc", "msg", "type")} for item in error.errors()]
    return JSONResponse({"detail": errors}, status_code=422)


@app.post("/payload")
async def analyze(payload: Payload) -> Summary:
    start = time.perf_counter()
    numeric_analysis = analyze_numbers(payload.numbers)
    text_analysis = analyze_text(payload.text)
    processing_time_ms = round((time.perf_counter() - start) * 1e3, 2)
    return Summary(
        numeric_analysis=numeric_analysis,
        text_analysis=text_analysis,
        processing_time_ms=processing_time_ms,
    )


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}


@app.get("/ready")
async def ready() -> dict[str, str]:
    return {"status": "ready"}


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        time = self.formatTime(record)
        return json.dumps({"time": time, "level": record.levelname, "msg": record.msg, **record.request})


class AccessLog:
    """Plain ASGI: BaseHTTPMiddleware costs several times as much."""

    def __init__(self, app):
        self.app = app
        self.logger = logging.getLogger("access")
        self.logger.setLevel(logging.INFO)
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(JsonFormatter())
        self.logger.addHandler(handler)

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        start = time.perf_counter()
        status = 500

        async def note_status(message):
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        await self.app(scope, receive, note_status)
        request = {
            "method": scope["method"],
            "path": scope["path"],
            "status": status,
            "duration_ms": (time.perf_counter() - start) * 1e3,
        }
        self.logger.info("request", extra={"request": request})


if os.environ.get("ACCESS_LOG") == "true":
    app.add_middleware(AccessLog)

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ["PORT"]), log_level="warning", access_log=False)
