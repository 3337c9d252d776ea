"""The host names of Aurora's endpoints, in AWS's forms."""

import base64
import hashlib

DOMAIN = "rds.amazonaws.com"
PORT = 5432


def label(account_id: str, region: str) -> str:
    """The twelve characters that AWS gives an account in a region, made up but always the same."""
    digest = hashlib.sha256(f"{account_id}/{region}".encode()).digest()
    return "c" + base64.b32encode(digest).decode().lower()[:11]


def cluster_endpoint(identifier: str, account_id: str, region: str) -> str:
    """The writer of one cluster: ``<id>.cluster-<label>.<region>.rds.amazonaws.com``."""
    return f"{identifier}.cluster-{label(account_id, region)}.{region}.{DOMAIN}"


def reader_endpoint(identifier: str, account_id: str, region: str) -> str:
    """The readers of one cluster: ``<id>.cluster-ro-<label>.<region>.rds.amazonaws.com``."""
    return f"{identifier}.cluster-ro-{label(account_id, region)}.{region}.{DOMAIN}"


def instance_endpoint(identifier: str, account_id: str, region: str) -> str:
    """One instance: ``<id>.<label>.<region>.rds.amazonaws.com``."""
    return f"{identifier}.{label(account_id, region)}.{region}.{DOMAIN}"


def global_endpoint(identifier: str, account_id: str) -> str:
    """The writer of a global database, in whichever region it is:
    ``<id>.global-<label>.global.rds.amazonaws.com``."""
    return f"{identifier}.global-{label(account_id, 'global')}.global.{DOMAIN}"
