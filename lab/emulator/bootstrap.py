"""Runs one Python function as AWS Lambda's runtime does: the handler module is loaded once, then
one event at a time comes as a line on standard input and its outcome leaves as a marked line on
standard output; everything else on standard output and error is the function's log.

It runs in the function's own process and imports nothing of the lab.
"""

import importlib
import json
import logging
import os
import sys
import time
import traceback

MARK = os.environ.pop("_LAB_MARK")
JSON_LOGS = os.environ.pop("_LAB_LOG_FORMAT", "Text") == "JSON"
_request = {"id": ""}
_output = sys.stdout


def report(message):
    """One marked line: the outcome of the start or of an event."""
    sys.stderr.flush()
    _output.write(MARK + json.dumps(message, default=str) + "\n")
    _output.flush()


def described(error):
    """An exception as Lambda's error object."""
    return {
        "errorType": type(error).__name__,
        "errorMessage": str(error),
        "trace": traceback.format_tb(error.__traceback__),
    }


class LogFormatter(logging.Formatter):
    """Lambda's forms of a log line, text and JSON."""

    converter = time.gmtime

    def format(self, record):
        """One line."""
        timestamp = self.formatTime(record, "%Y-%m-%dT%H:%M:%S") + f".{int(record.msecs):03d}Z"
        message = record.getMessage()
        if record.exc_info:
            message += "\n" + self.formatException(record.exc_info)
        if JSON_LOGS:
            return json.dumps(
                {
                    "timestamp": timestamp,
                    "level": record.levelname,
                    "message": message,
                    "logger": record.name,
                    "requestId": _request["id"],
                }
            )
        return f"[{record.levelname}]\t{timestamp}\t{_request['id']}\t{message}".replace("\n", "\r")


class Context:
    """What a handler gets as its second argument."""

    def __init__(self, given, deadline):
        self.function_name = given["functionName"]
        self.function_version = given["functionVersion"]
        self.invoked_function_arn = given["invokedFunctionArn"]
        self.memory_limit_in_mb = given["memoryLimitInMB"]
        self.aws_request_id = given["awsRequestId"]
        self.log_group_name = given["logGroupName"]
        self.log_stream_name = given["logStreamName"]
        self.identity = None
        self.client_context = None
        self._deadline = deadline

    def get_remaining_time_in_millis(self):
        """Milliseconds until the function's timeout."""
        return max(0, int(self._deadline - time.time() * 1000))


def load():
    """The handler named by ``_HANDLER``."""
    module_name, _, name = os.environ["_HANDLER"].rpartition(".")
    sys.path.insert(0, os.environ["LAMBDA_TASK_ROOT"])
    return getattr(importlib.import_module(module_name.replace("/", ".")), name)


def main():
    """Loads, then serves events until standard input ends."""
    handler_log = logging.StreamHandler(sys.stdout)
    handler_log.setFormatter(LogFormatter())
    logging.getLogger().addHandler(handler_log)
    try:
        handler = load()
    except BaseException as error:
        report({"status": "error", "fatal": True, **described(error)})
        return
    report({"status": "ready"})
    for line in sys.stdin:
        given = json.loads(line)
        _request["id"] = given["context"]["awsRequestId"]
        try:
            result = handler(given["event"], Context(given["context"], given["deadline"]))
            report({"status": "ok", "result": json.loads(json.dumps(result))})
        except Exception as error:
            traceback.print_exc()
            report({"status": "error", **described(error)})


main()
