"""EC2: security groups and their rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from lab.provider import shapes
from lab.provider.aws import Aws
from lab.provider.declaration import Failures, Properties, op
from lab.provider.resource import ResourceType
from lab.provider.types.ec2 import EC2_TAGGING, Ec2Type
from pulumi_protocol.values import plain_without_nulls


def permission(rule: Mapping[str, Any], own_group: str = "") -> Properties:
    """Returns a rule of pulumi-aws (inline, or a rule resource) as an IpPermission."""
    protocol = str(rule.get("ipProtocol", rule.get("protocol", "-1")))
    protocol = "-1" if protocol == "all" else protocol
    made: Properties = {"IpProtocol": protocol}
    if protocol != "-1":
        for key, name in (("fromPort", "FromPort"), ("toPort", "ToPort")):
            if rule.get(key) is not None:
                made[name] = int(rule[key])
    text = {"Description": rule["description"]} if rule.get("description") else {}
    groups = [*(rule.get("securityGroups") or [])]
    if rule.get("referencedSecurityGroupId"):
        groups.append(rule["referencedSecurityGroupId"].rpartition("/")[2])
    if rule.get("self"):
        groups.append(own_group)
    for name, inner, values in (
        ("IpRanges", "CidrIp", [*(rule.get("cidrBlocks") or []), rule.get("cidrIpv4")]),
        ("Ipv6Ranges", "CidrIpv6", [*(rule.get("ipv6CidrBlocks") or []), rule.get("cidrIpv6")]),
        ("PrefixListIds", "PrefixListId",
         [*(rule.get("prefixListIds") or []), rule.get("prefixListId")]),
        ("UserIdGroupPairs", "GroupId", groups),
    ):  # fmt: skip
        found = [{inner: value, **text} for value in values if value]
        if found:
            made[name] = found
    return made


RULE_KEYS = frozenset(
    {
        "protocol", "fromPort", "toPort", "cidrBlocks", "ipv6CidrBlocks", "prefixListIds",
        "securityGroups", "self", "description",
    }
)  # fmt: skip


class SecurityGroup(Ec2Type):
    """A security group; ``ingress`` and ``egress`` inline, or as rule resources."""

    pulumi_type = "aws:ec2/securityGroup:SecurityGroup"
    inputs = "name description vpcId ingress egress"
    in_place = "ingress egress"
    names: ClassVar = {"name": "GroupName", "ingress": "", "egress": ""}
    autoname = "name"
    identity = ("name", "vpcId")
    creation = op("CreateSecurityGroup")
    tag_resource = "security-group"
    id = "GroupId"
    reading = op("DescribeSecurityGroups", "SecurityGroups[0]", GroupIds=["{id}"])
    deletion = op("DeleteSecurityGroup", GroupId="{id}")
    outputs: ClassVar = {
        "arn": "arn:aws:ec2:{region}:{account}:security-group/{id}",
        "ownerId": "{account}",
        "vpcId": "VpcId",
        "description": "Description",
    }
    default_description = "Managed by Pulumi"

    def validate(self, props: Properties, region: str) -> Failures:
        found = [
            (f"{side}.{key}", f"{side}.{key} of {self.pulumi_type} is not supported")
            for side in ("ingress", "egress")
            for rule in props.get(side) or []
            if isinstance(rule, Mapping)
            for key in rule
            if key not in RULE_KEYS
        ]
        if str(props.get("name", "")).lower().startswith("sg-"):
            found.append(("name", "AWS refuses security-group names that begin with sg-"))
        return found

    def create(self, aws: Aws, props: Properties) -> str:
        return super().create(aws, {"description": self.default_description, **props})

    def look_up(self, aws: Aws, inputs: Properties) -> str | None:
        props = plain_without_nulls(inputs)
        filters = [{"Name": "group-name", "Values": [props["name"]]}]
        if props.get("vpcId"):
            filters.append({"Name": "vpc-id", "Values": [props["vpcId"]]})
        found = aws.call("ec2", "DescribeSecurityGroups", {"Filters": filters})["SecurityGroups"]
        return found[0]["GroupId"] if found else None

    def finish(self, aws: Aws, ident: str, props: Properties) -> None:
        raw = self.require(aws, ident, props)
        # pulumi-aws takes away the "allow all" that AWS gives to egress: what isn't declared isn't.
        for rule in raw.get("IpPermissionsEgress") or []:
            if rule.get("IpProtocol") == "-1" and not props.get("egress"):
                self._rules(aws, "RevokeSecurityGroupEgress", ident, [rule])
        for side in ("ingress", "egress"):
            if props.get(side):
                self._sync(aws, ident, side, props[side])

    def update(
        self, aws: Aws, ident: str, before: Any, after: Properties, changed: Any, state: Any
    ) -> None:
        for side in ("ingress", "egress"):
            if side in changed:
                self._sync(aws, ident, side, after.get(side) or [])

    def _sync(self, aws: Aws, ident: str, side: str, rules: list[Any]) -> None:
        """Makes one side's rules exactly those declared."""
        raw = self.require(aws, ident, {})
        current = atoms(raw.get("IpPermissions" if side == "ingress" else "IpPermissionsEgress"))
        wanted = atoms([permission(rule, ident) for rule in rules])
        name = "Ingress" if side == "ingress" else "Egress"
        gone = [rule for key, rule in current.items() if key not in wanted]
        new = [rule for key, rule in wanted.items() if key not in current]
        if gone:
            self._rules(aws, f"RevokeSecurityGroup{name}", ident, gone)
        if new:
            self._rules(aws, f"AuthorizeSecurityGroup{name}", ident, new)

    @staticmethod
    def _rules(aws: Aws, operation: str, ident: str, rules: list[Properties]) -> None:
        aws.call("ec2", operation, {"GroupId": ident, "IpPermissions": rules})

    def drift(self, aws: Aws, raw: Properties, key: str, written: Any) -> Any:
        if key not in ("ingress", "egress"):
            return super().drift(aws, raw, key, written)
        found = raw.get("IpPermissions" if key == "ingress" else "IpPermissionsEgress")
        current = atoms(found)
        wanted = atoms([permission(rule, raw["GroupId"]) for rule in written])
        if current.keys() == wanted.keys():
            return written
        return [_inline(rule) for _, rule in sorted(current.items())]


def atoms(permissions: Any) -> dict[str, Properties]:
    """Returns permissions split into one source each, by a key that ignores descriptions' order."""
    made: dict[str, Properties] = {}
    for rule in permissions or []:
        head = {k: rule[k] for k in ("IpProtocol", "FromPort", "ToPort") if k in rule}
        if str(head.get("IpProtocol")) == "-1":
            head = {"IpProtocol": "-1"}
        for name, inner in (
            ("IpRanges", "CidrIp"),
            ("Ipv6Ranges", "CidrIpv6"),
            ("PrefixListIds", "PrefixListId"),
            ("UserIdGroupPairs", "GroupId"),
        ):
            for source in rule.get(name) or []:
                kept = {k: source[k] for k in (inner, "Description") if source.get(k)}
                made[repr((sorted(head.items()), name, sorted(kept.items())))] = {
                    **head,
                    name: [kept],
                }
    return made


def _inline(rule: Properties) -> Properties:
    made: Properties = {
        "protocol": rule["IpProtocol"],
        "fromPort": rule.get("FromPort", 0),
        "toPort": rule.get("ToPort", 0),
    }
    for name, inner, key in (
        ("IpRanges", "CidrIp", "cidrBlocks"),
        ("Ipv6Ranges", "CidrIpv6", "ipv6CidrBlocks"),
        ("PrefixListIds", "PrefixListId", "prefixListIds"),
        ("UserIdGroupPairs", "GroupId", "securityGroups"),
    ):
        for source in rule.get(name, []):
            made[key] = [source[inner]]
            if source.get("Description"):
                made["description"] = source["Description"]
    return made


class DefaultSecurityGroup(SecurityGroup):
    """The group that AWS made with the VPC, adopted: exactly the declared rules, usually none."""

    pulumi_type = "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup"
    inputs = "vpcId ingress egress"
    autoname = ""
    identity = ("vpcId",)
    outputs: ClassVar = {**SecurityGroup.outputs, "name": "GroupName"}

    def look_up(self, aws: Aws, inputs: Properties) -> str | None:
        return super().look_up(aws, {**inputs, "name": "default"})

    def create(self, aws: Aws, props: Properties) -> str:
        ident = self.look_up(aws, props)
        if ident is None:
            raise RuntimeError(f"VPC {props.get('vpcId')} has no default security group")
        self.retag(aws, ident, {}, props, {})
        return ident

    def finish(self, aws: Aws, ident: str, props: Properties) -> None:
        for side in ("ingress", "egress"):
            self._sync(aws, ident, side, props.get(side) or [])

    def delete(self, aws: Aws, ident: str, props: Properties) -> None:
        """Does nothing: it goes with its VPC."""


class _Rule(ResourceType):
    service = "ec2"
    tagging = EC2_TAGGING
    tag_resource = "security-group-rule"
    side: ClassVar[str]
    inputs = (
        "securityGroupId ipProtocol fromPort toPort cidrIpv4 cidrIpv6 prefixListId "
        "referencedSecurityGroupId description"
    )
    in_place = (
        "ipProtocol fromPort toPort cidrIpv4 cidrIpv6 prefixListId "
        "referencedSecurityGroupId description"
    )
    names: ClassVar = {
        "securityGroupId": "GroupId",
        "referencedSecurityGroupId": "ReferencedGroupInfo.GroupId",
    }
    reading = op(
        "DescribeSecurityGroupRules", "SecurityGroupRules[0]", SecurityGroupRuleIds=["{id}"]
    )
    identity = ("securityGroupId", "ipProtocol", "fromPort", "toPort", "cidrIpv4")
    outputs: ClassVar = {
        "arn": "arn:aws:ec2:{region}:{account}:security-group-rule/{id}",
        "securityGroupRuleId": "{id}",
    }
    create_retry = ("InvalidGroup.NotFound",)

    def create(self, aws: Aws, props: Properties) -> str:
        name = f"AuthorizeSecurityGroup{self.side}"
        parameters = {
            "GroupId": props["securityGroupId"],
            "IpPermissions": [permission(props)],
        }
        parameters |= self.tags_of(op(name), props)
        answer = aws.call("ec2", name, parameters)
        found = answer.get("SecurityGroupRules") or []
        ident = found[0].get("SecurityGroupRuleId") if found else self.look_up(aws, props)
        if not ident:
            raise RuntimeError(f"{name}: AWS's answer names no rule")
        return ident

    def look_up(self, aws: Aws, inputs: Properties) -> str | None:
        props = plain_without_nulls(inputs)
        filters = [{"Name": "group-id", "Values": [props["securityGroupId"]]}]
        rules = aws.call("ec2", "DescribeSecurityGroupRules", {"Filters": filters})
        for rule in rules["SecurityGroupRules"]:
            egress = self.side == "Egress"
            if bool(rule.get("IsEgress")) == egress and self._matches(rule, props):
                return rule["SecurityGroupRuleId"]
        return None

    @staticmethod
    def _matches(rule: Properties, props: Properties) -> bool:
        ports = ("FromPort", "fromPort"), ("ToPort", "toPort")
        if props["ipProtocol"] == "-1":
            ports = ()
        pairs = (
            *ports,
            ("IpProtocol", "ipProtocol"),
            ("CidrIpv4", "cidrIpv4"),
            ("CidrIpv6", "cidrIpv6"),
            ("PrefixListId", "prefixListId"),
            ("ReferencedGroupInfo.GroupId", "referencedSecurityGroupId"),
        )
        return all(
            str(shapes.get(rule, path) or "") == str(props.get(key) or "")
            for path, key in pairs
            if not path.endswith("Port") or props.get(key) is not None
        )

    def update(
        self, aws: Aws, ident: str, before: Any, after: Properties, changed: Any, state: Any
    ) -> None:
        if not set(changed) & set(self.in_place.split()):
            return
        flat = {
            "IpProtocol": after["ipProtocol"],
            "FromPort": after.get("fromPort"),
            "ToPort": after.get("toPort"),
            "CidrIpv4": after.get("cidrIpv4"),
            "CidrIpv6": after.get("cidrIpv6"),
            "PrefixListId": after.get("prefixListId"),
            "ReferencedGroupId": after.get("referencedSecurityGroupId"),
            "Description": after.get("description"),
        }
        rule = {key: value for key, value in flat.items() if value is not None}
        aws.call(
            "ec2",
            "ModifySecurityGroupRules",
            {
                "GroupId": after["securityGroupId"],
                "SecurityGroupRules": [{"SecurityGroupRuleId": ident, "SecurityGroupRule": rule}],
            },
        )

    def drift(self, aws: Aws, raw: Properties, key: str, written: Any) -> Any:
        if key in ("fromPort", "toPort") and raw.get("IpProtocol") == "-1":
            return written
        return super().drift(aws, raw, key, written)

    def delete(self, aws: Aws, ident: str, props: Properties) -> None:
        aws.call(
            "ec2",
            f"RevokeSecurityGroup{self.side}",
            {"GroupId": props["securityGroupId"], "SecurityGroupRuleIds": [ident]},
        )


class SecurityGroupIngressRule(_Rule):
    """One rule of what may come in."""

    pulumi_type = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
    side = "Ingress"


class SecurityGroupEgressRule(_Rule):
    """One rule of what may go out."""

    pulumi_type = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
    side = "Egress"
