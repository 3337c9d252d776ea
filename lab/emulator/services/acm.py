"""Certificate Manager: a certificate that a listener has stays."""

from __future__ import annotations

from lab.api import ApiRefusal, ApiRequest, ApiResponse, CallNext
from lab.emulator.mending import Mending


def install(mending: Mending) -> None:
    """Mends acm."""
    mends = Acm(mending)
    mending.mend("acm", "DescribeCertificate DeleteCertificate", mends.certificate)


class Acm:
    """The hooks."""

    def __init__(self, mending: Mending) -> None:
        self._listeners = mending.store("elbv2")

    async def certificate(self, request: ApiRequest, call_next: CallNext) -> ApiResponse:
        """Says which load balancers have it; deletes none that one has."""
        arn = str(request.parameters["CertificateArn"])
        users = self._users(arn)
        if request.operation == "DeleteCertificate" and users:
            raise ApiRefusal("ResourceInUseException", f"Certificate {arn} in account is in use.")
        response = await call_next(request)
        if response.ok and "Certificate" in response.result:
            response.result["Certificate"]["InUseBy"] = users
        return response

    def _users(self, certificate: str) -> list[str]:
        """ARNs of the load balancers whose listeners have it."""
        from ministack.services import alb

        return sorted(
            {
                listener["LoadBalancerArn"]
                for listener in alb._listeners._data.values()
                if certificate in self._certificates(listener["ListenerArn"])
            }
        )

    def _certificates(self, listener: str) -> list[str]:
        kept = self._listeners.get(listener, {}).get("Certificates", [])
        return [certificate["CertificateArn"] for certificate in kept]
