"""``./inv bench api``: the application's speed, in process, cold, and through the load balancer."""

from __future__ import annotations

import io
import json
import os
import statistics
import subprocess
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from application_client import host
from bench import Measurements, deployed_lab
from deployed_lab import REPOSITORY, Lab

BUNDLE = REPOSITORY / "app" / "build" / "api"
EVENT = json.dumps(
    {"httpMethod": "GET", "path": "/health", "headers": {}, "requestContext": {"elb": {}}}
)
COLD = "const t=performance.now();const m=await import(process.argv[1]);await m.handler(JSON.parse(process.argv[2]),{awsRequestId:'1'});console.log(performance.now()-t)"  # noqa: E501
WARM = "const m=await import(process.argv[1]);const e=JSON.parse(process.argv[2]);const x=[];for(let i=0;i<3000;i++){const t=performance.now();await m.handler(e,{awsRequestId:'1'});x.push(performance.now()-t)}x.sort((a,b)=>a-b);console.log(x[x.length>>1])"  # noqa: E501
HELLO = (
    "exports.handler=async()=>({statusCode:200,headers:{'content-type':'text/plain'},body:'hello'})"
)
PAIRS = 400
REQUESTS, CONCURRENCY = 5000, 50


def main() -> None:
    """Figures of the same run stand beside each other, so a slow machine slows both."""
    found = Measurements("api")
    with deployed_lab() as lab:
        entry = next(BUNDLE.glob("index.mjs"))
        found.add("bundle, zipped", zipped(BUNDLE) / 1e6, "MB", 1)
        found.add("/health handler, p50 in process", node(WARM, entry), "ms", 0.2)
        cold = statistics.median(node(COLD, entry) for _ in range(5))
        found.add("cold start: import and first /health, median of 5", cold, "ms", 150)
        bare = hello_host(lab)
        ours, theirs = paired(lab, host(lab, "primary"), bare)
        found.add("load balancer → function, /health, p50", ours, "ms")
        found.add("load balancer → bare function, p50", theirs, "ms")
        found.add("ratio", ours / theirs, "", 1.2)
        failed, seconds = flood(lab)
        found.add(f"{REQUESTS} requests at concurrency {CONCURRENCY}", seconds, "s")
        found.add("of them failed", failed, "", 0)
    found.end()


def zipped(directory: Path) -> int:
    """Bytes of the deployment package."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(directory.rglob("*")):
            archive.write(file, file.relative_to(directory))
    return buffer.tell()


def node(program: str, entry: Path) -> float:
    """The number that a Node.js program prints last."""
    command = ["node", "--input-type=module", "-e", program, str(entry), EVENT]
    ran = subprocess.run(
        command, capture_output=True, text=True, check=True,
        env={**os.environ, "AWS_REGION": "us-east-1", "LOG_LEVEL": "error"},
    )  # fmt: skip
    return float(ran.stdout.split()[-1])


def hello_host(lab: Lab) -> str:
    """A second load balancer in the same region with the smallest function there is."""
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("index.js", HELLO)
    functions, balancers = lab.client("lambda"), lab.client("elbv2")
    function = lab.client("lambda").get_function(
        FunctionName=lab.outputs["app.primary.function_name"]
    )["Configuration"]
    arn = functions.create_function(
        FunctionName="function-hello", Runtime=function["Runtime"], Role=function["Role"],
        Handler="index.handler", Code={"ZipFile": package.getvalue()},
    )["FunctionArn"]  # fmt: skip
    group = balancers.create_target_group(Name="tg-hello", TargetType="lambda")["TargetGroups"][0]
    functions.add_permission(
        FunctionName="function-hello", StatementId="alb", Action="lambda:InvokeFunction",
        Principal="elasticloadbalancing.amazonaws.com", SourceArn=group["TargetGroupArn"],
    )  # fmt: skip
    balancers.register_targets(TargetGroupArn=group["TargetGroupArn"], Targets=[{"Id": arn}])
    balancer = balancers.create_load_balancer(
        Name="alb-hello", Subnets=lab.outputs["network.primary.public_subnet_ids"]
    )["LoadBalancers"][0]
    balancers.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group["TargetGroupArn"]}],
    )  # fmt: skip
    return balancer["DNSName"]


def paired(lab: Lab, ours: str, theirs: str) -> tuple[float, float]:
    """Medians in milliseconds of requests to the two in turn, one at a time."""
    seconds: dict[str, list[float]] = {ours: [], theirs: []}
    for number in range(PAIRS + 20):
        for name in (ours, theirs):
            begun = time.perf_counter()
            assert lab.request(name).status == 200
            if number >= 20:
                seconds[name].append(time.perf_counter() - begun)
    return tuple(statistics.median(seconds[name]) * 1000 for name in (ours, theirs))  # type: ignore[return-value]


def flood(lab: Lab) -> tuple[int, float]:
    """How many of the requests failed, and how long all took."""
    name = host(lab, "primary")
    ask: Callable[[int], bool] = lambda _: lab.request(name).status != 200  # noqa: E731
    begun = time.monotonic()
    with ThreadPoolExecutor(CONCURRENCY) as pool:
        failed = sum(pool.map(ask, range(REQUESTS)))
    return failed, time.monotonic() - begun


if __name__ == "__main__":
    main()
