"""What a web page can do to the lab from inside a real browser on the same machine."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from browser import chromium, required_or_skipped
from lab_core_world import EAST, World, running

required_or_skipped()

SCOPE = f"X-Amz-Credential=test%2F20260101%2F{EAST}%2F{{}}%2Faws4_request"
"""A signature in the address, which a page can send without asking; any key counts."""
ATTACKS = """
const [endpoint, bucket, done] = arguments;
const said = {};
const ask = async (name, path, options = {}) => {
  try {
    const answer = await fetch(endpoint + path, options);
    said[name] = answer.type === "opaque" ? "opaque" : `${answer.status} ${await answer.text()}`;
  } catch (error) {
    said[name] = `refused: ${error.name}`;
  }
};
const plain = (body) => ({ method: "POST", mode: "no-cors", body });
const json = JSON.stringify;
const image = (path) => new Promise((end) => {
  const made = new Image();
  made.onload = () => end("read");
  made.onerror = () => end("refused");
  made.src = endpoint + path;
});
const socket = () => new Promise((end) => {
  const made = new WebSocket(endpoint.replace("http", "ws") + "/_lab/status");
  made.onopen = () => end("open");
  made.onerror = () => end("refused");
});
(async () => {
  await ask("code", "/2015-03-31/functions?LAMBDA", plain(json({ FunctionName: "evil" })));
  await ask("wipe", "/_ministack/reset", plain(""));
  await ask("clock", "/_lab/clock", plain(json({ factor: 7 })));
  await ask("outage", "/_lab/outage", plain(json({ region: "us-east-1" })));
  await ask("queue", "/?Action=CreateQueue&QueueName=evil&SQS", plain(""));
  await ask("object", `/${bucket}/written?S3`, plain("by a page"));
  await ask("secret", "/", {
    method: "POST",
    headers: { "X-Amz-Target": "secretsmanager.GetSecretValue", Authorization: "AWS4-HMAC-SHA256" },
    body: json({ SecretId: "password" }),
  });
  await ask("read", `/${bucket}/picture?S3`);
  said.image = await image(`/${bucket}/picture?S3`);
  said.socket = await socket();
  const form = document.createElement("form");
  const action = endpoint + "/?Action=CreateQueue&QueueName=form&SQS";
  Object.assign(form, { method: "post", action, target: "elsewhere" });
  const frame = document.createElement("iframe");
  frame.name = "elsewhere";
  document.body.append(frame, form);
  const loaded = new Promise((end) => { frame.onload = end; });
  form.submit();
  await Promise.race([loaded, new Promise((end) => setTimeout(end, 5000))]);
  done(said);
})();
"""
PIXEL = b'<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>'


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A lab of this test's own."""
    with running(tmp_path / "lab") as world:
        yield world


@pytest.fixture
def page() -> Iterator[int]:
    """The port of a page of somebody else's."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b"<!doctype html><title>a page</title><body>"
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("site", ["127.0.0.1", "localhost"])
def test_a_page_in_a_browser_does_and_reads_nothing(world: World, page: int, site: str) -> None:
    """N16, issue 15.1: neither from another port of the same address nor from another name does a
    page run code, change the lab, wipe it, or read a secret or a picture that any program of this
    machine gets."""
    s3, sqs = world.aws("s3"), world.aws("sqs")
    s3.create_bucket(Bucket="kept")
    s3.put_object(Bucket="kept", Key="picture", Body=PIXEL, ContentType="image/svg+xml")
    world.aws("secretsmanager").create_secret(Name="password", SecretString="confidential")
    endpoint = world.status.endpoint
    script = ATTACKS
    for service in ("LAMBDA", "SQS", "S3"):
        script = script.replace(f"?{service}", f"?{SCOPE.format(service.lower())}")
        script = script.replace(f"&{service}", f"&{SCOPE.format(service.lower())}")
    with chromium() as driver:
        driver.set_script_timeout(60)
        driver.get(f"http://{site}:{page}/")
        said = driver.execute_async_script(script, endpoint, "kept")
    assert said.pop("image") == "refused"
    assert said.pop("socket") == "refused"
    # What it couldn't read is opaque to it; the rest didn't get as far as an answer.
    assert {name: answer.partition(":")[0] for name, answer in said.items()} == {
        **dict.fromkeys(("code", "wipe", "clock", "outage", "queue", "object"), "opaque"),
        **dict.fromkeys(("secret", "read"), "refused"),
    }
    assert world.aws("lambda").list_functions()["Functions"] == []
    assert sqs.list_queues().get("QueueUrls", []) == []
    assert [one["Key"] for one in s3.list_objects_v2(Bucket="kept")["Contents"]] == ["picture"]
    shown = json.loads(asked(world, "/_lab/status"))
    assert shown["clock"] == 1
    assert set(shown["regions"].values()) == {"up"}
    assert asked(world, f"/kept/picture?{SCOPE.format('s3')}") == PIXEL


def asked(world: World, path: str) -> bytes:
    """What a program of this machine gets."""
    connection = http.client.HTTPConnection("127.0.0.1", world.port, timeout=20)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 200, body
        return body
    finally:
        connection.close()
