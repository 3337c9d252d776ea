"""The AWS services that functions inside the VPC call, with who calls them.

Each needs NAT or an interface endpoint; S3 has its gateway endpoint and isn't here. Cost and the
network layer read this one list.
"""

from typing import Final

INTERFACE_SERVICES: Final[dict[str, str]] = {
    "events": "the API function publishes record.created (PutEvents)",
    "secretsmanager": "the API and migration functions read their database user (GetSecretValue)",
    "ssm": "the API function reads epochs, the standby's the failover switch too (GetParameter)",
}
"""Endpoint service (``com.amazonaws.<region>.<service>``) → its caller."""
