"""What AWS would add to a resource: ids, ARNs, endpoints and addresses of a plausible form.

Only outputs that the programs read are named per type; every resource gets ``arn`` (of its service
and physical name) and ``tagsAll``.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

ACCOUNT = "123456789012"

_NAMES = (
    "name", "bucket", "identifier", "clusterIdentifier", "globalClusterIdentifier", "functionName",
    "dashboardName", "alarmName", "namePrefix",
)  # fmt: skip
"""Inputs that hold a resource's physical name."""


def computed_outputs(
    type_: str, logical_name: str, inputs: Mapping[str, Any], region: str
) -> tuple[str, dict[str, Any]]:
    """The id and the computed outputs (camelCase) of one new resource."""
    module, _, kind = type_.rpartition(":")
    service = module.split(":")[1].split("/")[0] if ":" in module else module
    name = next((inputs[key] for key in _NAMES if isinstance(inputs.get(key), str)), logical_name)
    seed = hashlib.sha256(f"{region}{type_}{logical_name}".encode()).hexdigest()
    if type_.startswith("pulumi:providers:"):
        return f"{seed[:8]}-{seed[8:12]}-4000-8000-{seed[12:24]}", {}
    where = "" if service == "iam" else region
    outputs: dict[str, Any] = {
        "arn": f"arn:aws:{service}:{where}:{ACCOUNT}:{kind.lower()}/{name}",
        "tagsAll": {},
    }
    id_ = name
    if type_ in _HEX_IDS:
        id_ = f"{_HEX_IDS[type_]}-{seed[:17]}"
    elif type_ in _ARN_IDS:
        id_ = outputs["arn"]
    make = _COMPUTED.get(type_)
    if make:
        outputs.update(make(name, region, inputs, seed))
        id_ = outputs.pop("id", id_)
    return id_, outputs


def invoke_result(token: str, arguments: Mapping[str, Any], region: str) -> dict[str, Any]:
    """The answer of a provider function; raises KeyError for one that no test needed so far."""
    return _INVOKES[token](arguments, region)


_HEX_IDS = {
    "aws:ec2/vpc:Vpc": "vpc",
    "aws:ec2/subnet:Subnet": "subnet",
    "aws:ec2/routeTable:RouteTable": "rtb",
    "aws:ec2/route:Route": "r-rtb",
    "aws:ec2/routeTableAssociation:RouteTableAssociation": "rtbassoc",
    "aws:ec2/internetGateway:InternetGateway": "igw",
    "aws:ec2/natGateway:NatGateway": "nat",
    "aws:ec2/eip:Eip": "eipalloc",
    "aws:ec2/securityGroup:SecurityGroup": "sg",
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": "sg",
    "aws:ec2/vpcPeeringConnection:VpcPeeringConnection": "pcx",
    "aws:ec2/vpcEndpoint:VpcEndpoint": "vpce",
    "aws:ec2/flowLog:FlowLog": "fl",
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": "sgr",
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": "sgr",
    "aws:route53/healthCheck:HealthCheck": "hc",
}

_ARN_IDS = {
    "aws:lb/loadBalancer:LoadBalancer",
    "aws:lb/targetGroup:TargetGroup",
    "aws:lb/listener:Listener",
    "aws:lb/listenerRule:ListenerRule",
    "aws:sns/topic:Topic",
    "aws:iam/policy:Policy",
    "aws:secretsmanager/secret:Secret",
}

_Make = Callable[[str, str, Mapping[str, Any], str], dict[str, Any]]

_COMPUTED: dict[str, _Make] = {
    "aws:ec2/vpc:Vpc": lambda n, r, i, s: {
        "defaultSecurityGroupId": f"sg-{s[17:34]}",
        "defaultRouteTableId": f"rtb-{s[17:34]}",
        "mainRouteTableId": f"rtb-{s[17:34]}",
        "defaultNetworkAclId": f"acl-{s[17:34]}",
        "ownerId": ACCOUNT,
    },
    "aws:ec2/eip:Eip": lambda n, r, i, s: {
        "allocationId": f"eipalloc-{s[:17]}",
        "publicIp": "203.0.113.10",
    },
    "aws:ec2/vpcPeeringConnectionAccepter:VpcPeeringConnectionAccepter": lambda n, r, i, s: {
        "id": i["vpcPeeringConnectionId"],
        "acceptStatus": "active",
    },
    "aws:ec2/vpcEndpoint:VpcEndpoint": lambda n, r, i, s: {"prefixListId": f"pl-{s[:8]}"},
    "aws:kms/key:Key": lambda n, r, i, s: _key(r, s),
    "aws:kms/alias:Alias": lambda n, r, i, s: {
        "arn": f"arn:aws:kms:{r}:{ACCOUNT}:{n}",
        "targetKeyArn": f"arn:aws:kms:{r}:{ACCOUNT}:key/alias-target",
    },
    "aws:cloudwatch/logGroup:LogGroup": lambda n, r, i, s: {
        "arn": f"arn:aws:logs:{r}:{ACCOUNT}:log-group:{n}"
    },
    "aws:cloudwatch/eventBus:EventBus": lambda n, r, i, s: {
        "arn": f"arn:aws:events:{r}:{ACCOUNT}:event-bus/{n}"
    },
    "aws:cloudwatch/eventRule:EventRule": lambda n, r, i, s: {
        "arn": f"arn:aws:events:{r}:{ACCOUNT}:rule/{n}"
    },
    "aws:cloudwatch/metricAlarm:MetricAlarm": lambda n, r, i, s: {
        "arn": f"arn:aws:cloudwatch:{r}:{ACCOUNT}:alarm:{n}"
    },
    "aws:iam/role:Role": lambda n, r, i, s: {
        "arn": f"arn:aws:iam::{ACCOUNT}:role/{n}",
        "uniqueId": f"AROA{s[:16].upper()}",
    },
    "aws:iam/policy:Policy": lambda n, r, i, s: {
        "arn": f"arn:aws:iam::{ACCOUNT}:policy/{n}",
        "id": f"arn:aws:iam::{ACCOUNT}:policy/{n}",
    },
    "aws:rds/globalCluster:GlobalCluster": lambda n, r, i, s: {
        "arn": f"arn:aws:rds::{ACCOUNT}:global-cluster:{n}",
        "endpoint": f"{n}.global-{s[:12]}.global.rds.amazonaws.com",
        "globalClusterResourceId": f"cluster-{s[:16]}",
        "engineVersionActual": i.get("engineVersion"),
    },
    "aws:rds/cluster:Cluster": lambda n, r, i, s: {
        "arn": f"arn:aws:rds:{r}:{ACCOUNT}:cluster:{n}",
        "endpoint": f"{n}.cluster-{s[:12]}.{r}.rds.amazonaws.com",
        "readerEndpoint": f"{n}.cluster-ro-{s[:12]}.{r}.rds.amazonaws.com",
        "clusterResourceId": f"cluster-{s[:24].upper()}",
        "port": 5432,
        "clusterMembers": [],
    },
    "aws:rds/clusterInstance:ClusterInstance": lambda n, r, i, s: {
        "arn": f"arn:aws:rds:{r}:{ACCOUNT}:db:{n}",
        "endpoint": f"{n}.{s[:12]}.{r}.rds.amazonaws.com",
        "writer": False,
    },
    "aws:secretsmanager/secret:Secret": lambda n, r, i, s: _secret(n, r, s),
    "aws:secretsmanager/secretVersion:SecretVersion": lambda n, r, i, s: {
        "id": f"{i['secretId']}|{s[:8]}",
        "versionId": s[:8],
        "secretString": i.get("secretString"),
    },
    "aws:s3/bucket:Bucket": lambda n, r, i, s: {
        "arn": f"arn:aws:s3:::{n}",
        "bucketDomainName": f"{n}.s3.amazonaws.com",
        "bucketRegionalDomainName": f"{n}.s3.{r}.amazonaws.com",
    },
    "aws:ssm/parameter:Parameter": lambda n, r, i, s: {
        "arn": f"arn:aws:ssm:{r}:{ACCOUNT}:parameter{n}",
        "version": 1,
    },
    "aws:backup/vault:Vault": lambda n, r, i, s: {
        "arn": f"arn:aws:backup:{r}:{ACCOUNT}:backup-vault:{n}"
    },
    "aws:backup/restoreTestingPlan:RestoreTestingPlan": lambda n, r, i, s: {
        "arn": f"arn:aws:backup:{r}:{ACCOUNT}:restore-testing-plan:{i['name']}-{s[:12]}"
    },
    "aws:backup/plan:Plan": lambda n, r, i, s: {
        "arn": f"arn:aws:backup:{r}:{ACCOUNT}:backup-plan:{s[:12]}",
        "id": s[:12],
    },
    "aws:lambda/function:Function": lambda n, r, i, s: {
        "arn": f"arn:aws:lambda:{r}:{ACCOUNT}:function:{i.get('name', n)}",
        "invokeArn": f"arn:aws:apigateway:{r}:lambda:path/functions/{n}/invocations",
        "qualifiedArn": f"arn:aws:lambda:{r}:{ACCOUNT}:function:{i.get('name', n)}:1",
        "version": "1",
    },
    "aws:lambda/alias:Alias": lambda n, r, i, s: {
        "arn": f"arn:aws:lambda:{r}:{ACCOUNT}:function:{i['functionName']}:{n}",
    },
    "aws:lb/loadBalancer:LoadBalancer": lambda n, r, i, s: {
        "arn": f"arn:aws:elasticloadbalancing:{r}:{ACCOUNT}:loadbalancer/app/{n}/{s[:16]}",
        "id": f"arn:aws:elasticloadbalancing:{r}:{ACCOUNT}:loadbalancer/app/{n}/{s[:16]}",
        "arnSuffix": f"app/{n}/{s[:16]}",
        "dnsName": f"{n}-1234567890.{r}.elb.amazonaws.com",
        "zoneId": "Z35SXDOTRQ7X7K",
    },
    "aws:lb/targetGroup:TargetGroup": lambda n, r, i, s: {
        "arn": f"arn:aws:elasticloadbalancing:{r}:{ACCOUNT}:targetgroup/{n}/{s[:16]}",
        "id": f"arn:aws:elasticloadbalancing:{r}:{ACCOUNT}:targetgroup/{n}/{s[:16]}",
        "arnSuffix": f"targetgroup/{n}/{s[:16]}",
    },
    "aws:lb/listener:Listener": lambda n, r, i, s: {
        "arn": f"arn:aws:elasticloadbalancing:{r}:{ACCOUNT}:listener/app/{n}/{s[:16]}",
    },
    "aws:route53/zone:Zone": lambda n, r, i, s: {
        "id": f"Z{s[:20].upper()}",
        "zoneId": f"Z{s[:20].upper()}",
        "arn": f"arn:aws:route53:::hostedzone/Z{s[:20].upper()}",
        "nameServers": [f"ns-{number}.awsdns-{number}.net" for number in range(4)],
    },
    "aws:route53/record:Record": lambda n, r, i, s: {"fqdn": n},
    "aws:route53/healthCheck:HealthCheck": lambda n, r, i, s: {
        "id": f"{s[:8]}-{s[8:12]}-4000-8000-{s[12:24]}",
        "arn": f"arn:aws:route53:::healthcheck/{s[:8]}-{s[8:12]}-4000-8000-{s[12:24]}",
    },
    "aws:sns/topic:Topic": lambda n, r, i, s: {
        "arn": f"arn:aws:sns:{r}:{ACCOUNT}:{n}",
        "id": f"arn:aws:sns:{r}:{ACCOUNT}:{n}",
    },
    "aws:sqs/queue:Queue": lambda n, r, i, s: {
        "arn": f"arn:aws:sqs:{r}:{ACCOUNT}:{n}",
        "id": f"https://sqs.{r}.amazonaws.com/{ACCOUNT}/{n}",
        "url": f"https://sqs.{r}.amazonaws.com/{ACCOUNT}/{n}",
    },
    "aws:cloudwatch/dashboard:Dashboard": lambda n, r, i, s: {
        "dashboardArn": f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/{n}"
    },
}


def _key(region: str, seed: str) -> dict[str, Any]:
    id_ = f"{seed[:8]}-{seed[8:12]}-4000-8000-{seed[12:24]}"
    return {"id": id_, "keyId": id_, "arn": f"arn:aws:kms:{region}:{ACCOUNT}:key/{id_}"}


def _secret(name: str, region: str, seed: str) -> dict[str, Any]:
    arn = f"arn:aws:secretsmanager:{region}:{ACCOUNT}:secret:{name}-{seed[:6]}"
    return {"id": arn, "arn": arn}


_INVOKES: dict[str, Callable[[Mapping[str, Any], str], dict[str, Any]]] = {
    "aws:index/getCallerIdentity:getCallerIdentity": lambda arguments, region: {
        "accountId": ACCOUNT,
        "arn": f"arn:aws:iam::{ACCOUNT}:user/deployer",
        "id": ACCOUNT,
        "userId": "AIDAEXAMPLE",
    },
    "aws:index/getPartition:getPartition": lambda arguments, region: {
        "partition": "aws",
        "id": "aws",
        "dnsSuffix": "amazonaws.com",
        "reverseDnsPrefix": "com.amazonaws",
    },
    "aws:secretsmanager/getRandomPassword:getRandomPassword": lambda arguments, region: {
        "randomPassword": "example-of-a-random-password-0123",
        "id": "example",
        **arguments,
    },
    "aws:ssm/getParametersByPath:getParametersByPath": lambda arguments, region: {
        "id": arguments["path"],
        "arns": [],
        "names": [],
        "types": [],
        "values": [],
        **arguments,
    },
    "aws:secretsmanager/getSecretVersions:getSecretVersions": lambda arguments, region: {
        **arguments,
        "id": arguments["secretId"],
        "versions": [
            {"versionId": "older", "versionStages": ["DEPLOYED"], "createdTime": ""},
            {"versionId": "present", "versionStages": ["AWSCURRENT"], "createdTime": ""},
        ],
    },
    "aws:route53/getZone:getZone": lambda arguments, region: {
        "zoneId": arguments.get("zoneId", "Z0123456789ABCDEFGHIJ"),
        "id": arguments.get("zoneId", "Z0123456789ABCDEFGHIJ"),
        "name": arguments.get("name", "warm-standby.net"),
        "nameServers": [f"ns-{number}.awsdns-{number}.net" for number in range(4)],
        "privateZone": False,
    },
}
