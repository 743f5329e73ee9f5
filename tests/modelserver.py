"""A scripted model on loopback for tests with real agent programs: messages, responses and chat, streamed.

In a test::

    with ModelServer() as server:
        ... server.base_url ... server.requests ...

By hand: `python -m tests.modelserver PORT`. Standard library only.

The default script answers the first user prompt with one call of the shell tool that writes `proof.txt`, and
the tool's result with a final text. A script is any function from `Prompt` to `Reply`.
"""

from __future__ import annotations

import gzip
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any

WIRES = ("messages", "responses", "chat")
COMMAND = "echo hi > proof.txt"
PREFACE = "I will run the shell command now. "
FINAL = "Done: proof.txt holds the text hi."
NO_TOOL = "only talk"
"""A prompt with these words is answered without a tool call."""

SHELL_TOOLS = ("Bash", "exec_command", "shell_command", "shell", "terminal", "exec", "bash")


@dataclass(frozen=True)
class Request:
    """One request as it came; `key` is the credential without `Bearer `."""

    at: float
    method: str
    path: str
    headers: dict[str, str]
    body: Any
    key: str

    @property
    def model(self) -> str:
        return str(self.body.get("model", "")) if isinstance(self.body, dict) else ""


@dataclass(frozen=True)
class Prompt:
    """What the model is asked: the last user's words, the results since, and the tools on offer."""

    wire: str
    model: str
    text: str
    results: tuple[str, ...]
    tools: dict[str, dict[str, Any]]
    """Tool name → JSON schema of its arguments."""

    def shell_tool(self) -> str | None:
        return next((name for name in SHELL_TOOLS if name in self.tools), None)


@dataclass(frozen=True)
class Reply:
    """What the model says: text, then tool calls (name, arguments); or an HTTP error."""

    text: str = ""
    calls: tuple[tuple[str, dict[str, Any]], ...] = ()
    status: int = 200
    error: str = ""
    hold: threading.Event | None = None
    """The answer starts, then stops before its end until the event is set."""


Script = Callable[[Prompt], Reply]


def shell_call(prompt: Prompt, command: str) -> tuple[tuple[str, dict[str, Any]], ...]:
    """The call of the offered shell tool that runs `command`, or none when no shell is offered."""
    name = prompt.shell_tool()
    if name is None:
        return ()
    properties = prompt.tools[name].get("properties", {})
    if name == "shell":
        return ((name, {"command": ["bash", "-lc", command]}),)
    arguments: dict[str, Any] = {"cmd" if "cmd" in properties else "command": command}
    if "description" in properties:
        arguments["description"] = "Write the proof file"
    return ((name, arguments),)


def proof_script(command: str = COMMAND, preface: str = PREFACE, final: str = FINAL) -> Script:
    """First the shell command, after its result the final text; a title for requests without tools."""

    def script(prompt: Prompt) -> Reply:
        if not prompt.tools:
            return Reply("Scripted title")
        if prompt.results or NO_TOOL in prompt.text:
            return Reply(final)
        return Reply(preface, shell_call(prompt, command))

    return script


class ModelServer:
    """The server; starts on entering the context, on a free port of 127.0.0.1 unless one is given.

    `wires` are the dialects it speaks (others are 404), `key` the only credential it takes (None: any),
    `pause` seconds lie between two pieces of a stream.
    """

    def __init__(
        self,
        script: Script | None = None,
        *,
        port: int = 0,
        wires: tuple[str, ...] = WIRES,
        key: str | None = None,
        pause: float = 0.005,
    ) -> None:
        self.script = script or proof_script()
        self.wires = wires
        self.key = key
        self.pause = pause
        self.requests: list[Request] = []
        self.errors: list[BaseException] = []
        self.numbers = count(1)
        self._changed = threading.Condition()
        handler = type("BoundHandler", (_Handler,), {"model": self})
        self._http = ThreadingHTTPServer(("127.0.0.1", port), handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)

    @property
    def base_url(self) -> str:
        """Without `/v1`, as an upstream stores it."""
        return f"http://127.0.0.1:{self._http.server_port}"

    def start(self) -> ModelServer:
        self._thread.start()
        return self

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def __enter__(self) -> ModelServer:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def record(self, request: Request) -> None:
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()

    def wait_for(self, wanted: Callable[[Request], bool], timeout: float = 30.0) -> Request:
        """The first request that `wanted` accepts; AssertionError when none came in `timeout` seconds."""
        with self._changed:
            found = self._changed.wait_for(lambda: next(filter(wanted, self.requests), None), timeout)
        assert found is not None, f"no such request within {timeout} s; {len(self.requests)} came"
        return found


class _Handler(BaseHTTPRequestHandler):
    model: ModelServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    def do_HEAD(self) -> None:
        self._note(None)
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        self._note(None)
        if not self._path().endswith("/models"):
            self._json({"error": {"type": "not_found_error", "message": "not found"}}, 404)
        elif self._key_ok():
            self._json({"object": "list", "has_more": False, "data": [_model(i) for i in ("m-1", "m-2")]})

    def do_POST(self) -> None:
        body = self._body()
        self._note(body)
        wire = _wire(self._path())
        try:
            if self._path().endswith("/messages/count_tokens"):
                self._json({"input_tokens": 100})
            elif wire is None or wire not in self.model.wires:
                self._json({"error": {"type": "not_found_error", "message": "not found"}}, 404)
            elif self._key_ok():
                self._answer(wire, body)
        except (BrokenPipeError, ConnectionResetError):
            pass
        except Exception as error:
            self.model.errors.append(error)
            raise

    # -- the request

    def _path(self) -> str:
        return self.path.split("?")[0]

    def _credential(self) -> str:
        bearer = self.headers.get("authorization", "").removeprefix("Bearer ")
        return bearer or str(self.headers.get("x-api-key", ""))

    def _note(self, body: Any) -> None:
        self.model.record(
            Request(
                at=time.time(),
                method=self.command,
                path=self.path,
                headers={name.lower(): value for name, value in self.headers.items()},
                body=body,
                key=self._credential(),
            )
        )

    def _key_ok(self) -> bool:
        if self.model.key in (None, self._credential()):
            return True
        message = "invalid x-api-key" if "x-api-key" in self.headers else "Incorrect API key provided"
        error = {"type": "authentication_error", "code": "invalid_api_key", "message": message}
        self._json({"type": "error", "error": error}, 401)
        return False

    def _body(self) -> Any:
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        if "chunked" in self.headers.get("transfer-encoding", ""):
            while size := int(self.rfile.readline().strip() or b"0", 16):
                raw += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        if self.headers.get("content-encoding") == "gzip":
            raw = gzip.decompress(raw)
        try:
            return json.loads(raw or b"{}")
        except ValueError:
            return None

    # -- the answer

    def _answer(self, wire: str, body: Any) -> None:
        prompt = _prompt(wire, body)
        if prompt is None:
            self._json({"error": {"type": "invalid_request_error", "message": "messages are missing"}}, 400)
            return
        reply = self.model.script(prompt)
        if reply.status != 200:
            error = {"type": reply.error or "api_error", "code": reply.error, "message": reply.text}
            self._json({"type": "error", "error": error}, reply.status)
            return
        whole, events = _ENCODERS[wire](prompt.model, reply, self.model.numbers)
        if not body.get("stream"):
            self._json(whole)
            return
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True
        for held, event in events:
            if held and reply.hold is not None:
                reply.hold.wait(60)
            name = event.get("type", "") if isinstance(event, dict) and wire != "chat" else ""
            data = event if isinstance(event, str) else json.dumps(event)
            self.wfile.write((f"event: {name}\n" if name else "").encode() + f"data: {data}\n\n".encode())
            self.wfile.flush()
            time.sleep(self.model.pause)

    def _json(self, document: Any, status: int = 200) -> None:
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        if status >= 400:
            self.send_header("x-should-retry", "false")
        self.end_headers()
        self.wfile.write(data)


def _model(name: str) -> dict[str, Any]:
    return {
        "id": name,
        "object": "model",
        "type": "model",
        "display_name": name,
        "created": 1,
        "owned_by": "t",
    }


def _wire(path: str) -> str | None:
    if path.endswith("/messages"):
        return "messages"
    if path.endswith("/responses"):
        return "responses"
    return "chat" if path.endswith("/chat/completions") else None


# -- understanding a request


def _prompt(wire: str, body: Any) -> Prompt | None:
    """None for a body that is no request of this wire."""
    if not isinstance(body, dict) or ("input" if wire == "responses" else "messages") not in body:
        return None
    turns = body["input"] if wire == "responses" else body["messages"]
    if isinstance(turns, str):
        turns = [{"type": "message", "role": "user", "content": turns}]
    text, results = "", []
    for turn in turns:
        for words, is_result in _said(turn):
            if is_result:
                results.append(words)
            else:
                text, results = words, []
    return Prompt(wire, str(body.get("model", "")), text, tuple(results), dict(_tools(body)))


def _said(turn: dict[str, Any]) -> Iterator[tuple[str, bool]]:
    """What the user and the tools say in one turn, in order: words, and whether a tool said them.

    Context that programs add to user messages of their own, in angle brackets, is nobody's words.
    """
    if str(turn.get("type", "")).endswith("_output"):
        yield json.dumps(turn.get("output")), True
        return
    content = turn.get("content")
    parts = content if isinstance(content, list) else [{"type": "text", "text": content or ""}]
    for part in parts:
        words = str(part.get("text", "")).strip()
        if part.get("type") == "tool_result":
            yield json.dumps(part.get("content")), True
        elif turn.get("role") == "tool":
            yield words, True
        elif turn.get("role") == "user" and words and not words.startswith("<"):
            yield words, False


def _tools(body: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for tool in body.get("tools") or []:
        inner = tool.get("function", tool)
        name = inner.get("name")
        if name and tool.get("type") != "custom":
            yield name, inner.get("parameters") or inner.get("input_schema") or {}


# -- writing an answer: the whole document, and the stream as (held?, event)

Events = Iterator[tuple[bool, Any]]


def _pieces(text: str, size: int = 12) -> Iterator[tuple[bool, str]]:
    """Pieces of `text`; the last one is the one that may be held back."""
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    for index, piece in enumerate(pieces):
        yield index == len(pieces) - 1, piece


def _messages(model: str, reply: Reply, numbers: Iterator[int]) -> tuple[Any, Events]:
    blocks: list[dict[str, Any]] = [{"type": "text", "text": reply.text}] if reply.text else []
    for name, arguments in reply.calls:
        blocks.append(
            {"type": "tool_use", "id": f"toolu_{next(numbers):06d}", "name": name, "input": arguments}
        )
    whole = {
        "id": f"msg_{next(numbers):06d}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": blocks,
        "stop_reason": "tool_use" if reply.calls else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 1200, "output_tokens": 60},
    }

    def events() -> Events:
        yield False, {"type": "message_start", "message": {**whole, "content": [], "stop_reason": None}}
        for index, block in enumerate(blocks):
            at = {"index": index}
            if block["type"] == "text":
                yield (
                    False,
                    {"type": "content_block_start", **at, "content_block": {"type": "text", "text": ""}},
                )
                for held, piece in _pieces(block["text"]):
                    delta = {"type": "text_delta", "text": piece}
                    yield held, {"type": "content_block_delta", **at, "delta": delta}
            else:
                yield False, {"type": "content_block_start", **at, "content_block": {**block, "input": {}}}
                for _, piece in _pieces(json.dumps(block["input"])):
                    delta = {"type": "input_json_delta", "partial_json": piece}
                    yield False, {"type": "content_block_delta", **at, "delta": delta}
            yield False, {"type": "content_block_stop", **at}
        stop = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
        yield False, {"type": "message_delta", "delta": stop, "usage": {"output_tokens": 60}}
        yield False, {"type": "message_stop"}

    return whole, events()


def _responses(model: str, reply: Reply, numbers: Iterator[int]) -> tuple[Any, Events]:
    items: list[dict[str, Any]] = []
    if reply.text:
        part = {"type": "output_text", "text": reply.text, "annotations": []}
        identity = f"msg_{next(numbers):06d}"
        items.append(
            {"type": "message", "role": "assistant", "id": identity, "status": "completed", "content": [part]}
        )
    for name, arguments in reply.calls:
        number = next(numbers)
        call = {"type": "function_call", "id": f"fc_{number:06d}", "call_id": f"call_{number:06d}"}
        items.append({**call, "name": name, "arguments": json.dumps(arguments), "status": "completed"})
    usage = {
        "input_tokens": 1200,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 60,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 1260,
    }
    whole = {"id": f"resp_{next(numbers):06d}", "object": "response", "created_at": int(time.time())}
    whole |= {"status": "completed", "model": model, "output": items, "usage": usage, "error": None}

    def stream() -> Events:
        start = {**whole, "status": "in_progress", "output": [], "usage": None}
        yield False, {"type": "response.created", "response": start}
        for index, item in enumerate(items):
            at = {"output_index": index}
            opened = {**item, "status": "in_progress"}
            if item["type"] == "message":
                inside = {**at, "item_id": item["id"], "content_index": 0}
                empty = {"type": "output_text", "text": "", "annotations": []}
                yield False, {"type": "response.output_item.added", **at, "item": {**opened, "content": []}}
                yield False, {"type": "response.content_part.added", **inside, "part": empty}
                for held, piece in _pieces(reply.text):
                    yield held, {"type": "response.output_text.delta", **inside, "delta": piece}
                yield False, {"type": "response.output_text.done", **inside, "text": reply.text}
            else:
                done = {**at, "item_id": item["id"], "arguments": item["arguments"]}
                yield False, {"type": "response.output_item.added", **at, "item": {**opened, "arguments": ""}}
                yield False, {"type": "response.function_call_arguments.done", **done}
            yield False, {"type": "response.output_item.done", **at, "item": item}
        yield False, {"type": "response.completed", "response": whole}

    def events() -> Events:
        for number, (held, event) in enumerate(stream()):
            yield held, {**event, "sequence_number": number}

    return whole, events()


def _chat(model: str, reply: Reply, numbers: Iterator[int]) -> tuple[Any, Events]:
    usage = {"prompt_tokens": 1200, "completion_tokens": 60, "total_tokens": 1260}
    base = {"id": f"chatcmpl-{next(numbers):06d}", "created": int(time.time()), "model": model}
    calls = [
        {
            "id": f"call_{next(numbers):06d}",
            "type": "function",
            "function": {"name": name, "arguments": json.dumps(arguments)},
        }
        for name, arguments in reply.calls
    ]
    finish = "tool_calls" if calls else "stop"
    message = {"role": "assistant", "content": reply.text, **({"tool_calls": calls} if calls else {})}
    choice = {"index": 0, "message": message, "finish_reason": finish}
    whole = {**base, "object": "chat.completion", "choices": [choice], "usage": usage}

    def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return {**base, "object": "chat.completion.chunk", "choices": [choice]}

    def events() -> Events:
        yield False, chunk({"role": "assistant", "content": ""})
        for held, piece in _pieces(reply.text):
            yield held, chunk({"content": piece})
        for index, call in enumerate(calls):
            yield False, chunk({"tool_calls": [{"index": index, **call}]})
        yield False, chunk({}, finish)
        yield False, {**base, "object": "chat.completion.chunk", "choices": [], "usage": usage}
        yield False, "[DONE]"

    return whole, events()


_ENCODERS: dict[str, Callable[[str, Reply, Iterator[int]], tuple[Any, Events]]] = {
    "messages": _messages,
    "responses": _responses,
    "chat": _chat,
}


def main() -> None:
    server = ModelServer(port=int(sys.argv[1]) if len(sys.argv) > 1 else 0, pause=0.03)
    print(f"model at {server.base_url}", flush=True)
    server.start()
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        server.stop()


if __name__ == "__main__":
    main()
