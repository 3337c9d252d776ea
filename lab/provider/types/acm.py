"""Certificate Manager: certificates, imported or requested."""

from __future__ import annotations

from typing import Any, ClassVar

from lab.provider import wire
from lab.provider.aws import Aws
from lab.provider.resource import Properties, ResourceType, Tagging, op


class Certificate(ResourceType):
    """A certificate: imported when it has a body, else requested."""

    pulumi_type = "aws:acm/certificate:Certificate"
    service = "acm"
    inputs = (
        "domainName validationMethod subjectAlternativeNames keyAlgorithm options "
        "certificateAuthorityArn"
    )
    settings = "certificateBody certificateChain privateKey"
    create = op("RequestCertificate")
    updates = (op("UpdateCertificateOptions", only="options", CertificateArn="{id}"),)
    id = "CertificateArn"
    read = op("DescribeCertificate", "Certificate", CertificateArn="{id}")
    remove = op("DeleteCertificate", CertificateArn="{id}")
    tagging = Tagging(
        tag=op("AddTagsToCertificate", CertificateArn="{id}"),
        untag=op("RemoveTagsFromCertificate", CertificateArn="{id}"),
        list=op("ListTagsForCertificate", CertificateArn="{id}"),
    )
    outputs: ClassVar = {
        "arn": "CertificateArn",
        "domainName": "DomainName",
        "status": "Status",
        "notAfter": "NotAfter",
        "notBefore": "NotBefore",
        "type": "Type",
    }

    def _import(self, aws: Aws, props: Properties, arn: str | None) -> str:
        parameters: Properties = {
            "Certificate": props["certificateBody"].encode(),
            "PrivateKey": props["privateKey"].encode(),
        }
        if props.get("certificateChain"):
            parameters["CertificateChain"] = props["certificateChain"].encode()
        if arn:
            parameters["CertificateArn"] = arn
        else:
            self.add_tags(aws, op("ImportCertificate"), parameters, props.get("tagsAll") or {})
        return aws.call("acm", "ImportCertificate", parameters)["CertificateArn"]

    def do_create(self, aws: Aws, props: Properties) -> str:
        if "certificateBody" in props:
            return self._import(aws, props, None)
        return super().do_create(aws, props)

    def finish(self, aws: Aws, ident: str, props: Properties) -> None:
        """Nothing: one call makes it whole."""

    def do_update(
        self,
        aws: Aws,
        ident: str,
        before: Any,
        after: Properties,
        changed: list[str],
        state: Any,
    ) -> None:
        super().do_update(aws, ident, before, after, changed, state)
        if {"certificateBody", "certificateChain", "privateKey"} & set(changed):
            self._import(aws, after, ident)

    def look_up(self, aws: Aws, inputs: Properties) -> str | None:
        wanted = wire.plain(inputs).get("tagsAll") or {}
        if "Name" not in wanted:
            return None
        found = aws.call("acm", "ListCertificates")["CertificateSummaryList"]
        for item in found:
            tags = self.current_tags(aws, item["CertificateArn"], {}, {}) or {}
            if all(tags.get(key) == wanted.get(key) for key in ("Name", "EnvironmentSuffix")):
                return item["CertificateArn"]
        return None

    def drift(self, aws: Aws, raw: Properties, key: str, written: Any) -> Any:
        if key in ("subjectAlternativeNames", "validationMethod", "options"):
            return written
        return super().drift(aws, raw, key, written)
