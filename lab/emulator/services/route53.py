"""Route 53: health checks with all they were given, their status, and zones that AWS reserves."""

from __future__ import annotations

import copy
from typing import Any

from lab.api import ApiRefusal, ApiRequest, ApiResponse, CallNext
from lab.emulator.mending import Mending

CHECKER_REGIONS = [
    "ap-northeast-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "eu-west-1",
    "sa-east-1",
    "us-east-1",
    "us-west-1",
    "us-west-2",
]
RESERVED = ("example.com.", "example.net.", "example.org.", "amazonaws.com.")
"""Names Route 53 refuses (InvalidDomainName, reserved by AWS), their subdomains excepted."""


def install(mending: Mending) -> None:
    """Mends Route 53."""
    mends = Route53(mending)
    mend = mending.mend
    mend(
        "route53",
        "CreateHealthCheck UpdateHealthCheck GetHealthCheck ListHealthChecks DeleteHealthCheck",
        mends.health_checks,
    )
    mend("route53", "GetHealthCheckStatus GetHealthCheckLastFailureReason", mends.status)
    mend("route53", "CreateHostedZone", mends.zone)
    mend("route53", "DeleteHostedZone", mends.delete_zone)
    mend("route53", "UpdateHostedZoneFeatures GetHostedZone ListHostedZones", mends.features)


class Route53:
    """The hooks."""

    def __init__(self, mending: Mending) -> None:
        self.lab = mending.lab
        self.configs = mending.store("route53.health_checks")
        self.zones = mending.store("route53.zones")

    async def health_checks(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        """Regions, children, inversion, threshold, alarm: the whole configuration."""
        given = request.parameters
        if request.operation == "CreateHealthCheck":
            _check_config(given["HealthCheckConfig"])
        elif request.operation == "UpdateHealthCheck":
            self._check_version(given)
        response = await call_next(request)
        if not response.ok:
            return response
        if request.operation == "DeleteHealthCheck":
            self.configs.pop(given["HealthCheckId"], None)
            return response
        items = response.result.get("HealthChecks")
        for item in [response.result["HealthCheck"]] if items is None else items:
            if request.operation == "CreateHealthCheck":
                # The same caller reference answers with what was made first.
                self.configs.setdefault(item["Id"], _whole(given["HealthCheckConfig"]))
            elif request.operation == "UpdateHealthCheck":
                self._update(item["Id"], given)
            if item["Id"] in self.configs:
                item["HealthCheckConfig"] = copy.deepcopy(self.configs[item["Id"]])
        return response

    def _check_version(self, given: dict[str, Any]) -> None:
        from ministack.services import route53

        stored = [
            r for k, r in route53._health_checks._data.items() if k[-1] == given["HealthCheckId"]
        ]
        wanted = given.get("HealthCheckVersion")
        if stored and wanted is not None and wanted != stored[0]["version"]:
            raise ApiRefusal(
                "HealthCheckVersionMismatch",
                "The value of HealthCheckVersion in the request doesn't match the value of "
                "HealthCheckVersion in the health check.",
                409,
            )

    def _update(self, name: str, given: dict[str, Any]) -> None:
        config = self.configs.setdefault(name, {})
        for element in given.get("ResetElements") or []:
            config.pop(element, None)
        config.update(
            {
                key: value
                for key, value in given.items()
                if key not in ("HealthCheckId", "HealthCheckVersion", "ResetElements")
            }
        )

    async def status(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        """What the lab's checker observes; the emulator has no such operation."""
        from ministack.services import route53

        name = request.parameters["HealthCheckId"]
        if not any(key[-1] == name for key in route53._health_checks._data):
            raise ApiRefusal(
                "NoSuchHealthCheck", f"No health check exists with the specified ID {name}.", 404
            )
        provider = self.lab.health_check_status
        return ApiResponse({"HealthCheckObservations": provider(name) if provider else []})

    async def zone(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        """A reserved name is refused (trap 16); one caller reference makes one zone."""
        from ministack.services import route53

        name = request.parameters["Name"].lower().rstrip(".") + "."
        if name in RESERVED:
            raise ApiRefusal(
                "InvalidDomainName", f"{name.rstrip('.')} is reserved by AWS and cannot be created"
            )
        reference = request.parameters["CallerReference"]
        if any(key[-1] == reference for key in route53._caller_refs._data):
            raise ApiRefusal(
                "HostedZoneAlreadyExists",
                f"A hosted zone has already been created with the specified caller reference.: "
                f"{reference}",
                409,
            )
        return await call_next(request)

    async def delete_zone(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        """A zone's features go with it."""
        name = request.parameters["Id"].rpartition("/")[2]
        response = await call_next(request)
        if response.ok:
            self.zones.pop(name, None)
        return response

    async def features(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        """Accelerated recovery of a zone."""
        if request.operation == "UpdateHostedZoneFeatures":
            name = request.parameters["HostedZoneId"].rpartition("/")[2]
            enabled = bool(request.parameters.get("EnableAcceleratedRecovery"))
            self.zones[name] = {"AcceleratedRecoveryStatus": "ENABLED" if enabled else "DISABLED"}
            return ApiResponse({})
        response = await call_next(request)
        if response.ok:
            items = response.result.get("HostedZones")
            for item in [response.result["HostedZone"]] if items is None else items:
                if kept := self.zones.get(item["Id"].rpartition("/")[2]):
                    item["Features"] = dict(kept)
        return response


def _check_config(config: dict[str, Any]) -> None:
    if config["Type"] == "CALCULATED" and not config.get("ChildHealthChecks"):
        raise ApiRefusal("InvalidInput", "ChildHealthChecks is required for CALCULATED")
    if regions := config.get("Regions"):
        if len(regions) < 3:
            raise ApiRefusal(
                "InvalidInput",
                f"Invalid parameter: at least 3 health checker regions are required, got "
                f"{len(regions)}",
            )
        if unknown := set(regions) - set(CHECKER_REGIONS):
            raise ApiRefusal("InvalidInput", f"Invalid health checker region {sorted(unknown)[0]}")


def _whole(config: dict[str, Any]) -> dict[str, Any]:
    """A configuration with Route 53's defaults."""
    whole = copy.deepcopy(config)
    whole.setdefault("Inverted", False)
    whole.setdefault("Disabled", False)
    if whole["Type"] in ("HTTP", "HTTPS", "HTTP_STR_MATCH", "HTTPS_STR_MATCH", "TCP"):
        whole.setdefault("RequestInterval", 30)
        whole.setdefault("FailureThreshold", 3)
        whole.setdefault("MeasureLatency", False)
        whole.setdefault("EnableSNI", whole["Type"].startswith("HTTPS"))
        if whole["Type"] != "TCP":
            whole.setdefault("Port", 443 if whole["Type"].startswith("HTTPS") else 80)
    return whole
