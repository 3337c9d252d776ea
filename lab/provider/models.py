"""botocore's models of AWS's operations: read from its files, without a client or a call."""

from __future__ import annotations

import threading
from typing import Any

from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel

LOADER = Loader()
"""Shared with the clients, so that a service's model is read once."""

_services: dict[str, ServiceModel] = {}
_lock = threading.Lock()


def operation(service: str, name: str) -> OperationModel:
    """Returns the model of an operation by AWS's name (``ec2``, ``CreateVpc``)."""
    with _lock:  # reading a model twice costs more than waiting for it
        if service not in _services:
            found = LOADER.load_service_model(service, "service-2")
            _services[service] = ServiceModel(found, service)
    return _services[service].operation_model(name)


def input_shape(service: str, name: str) -> Any:
    """Returns the shape of an operation's parameters."""
    return operation(service, name).input_shape


def output_shape(service: str, name: str) -> Any:
    """Returns the shape of an operation's answer."""
    return operation(service, name).output_shape
