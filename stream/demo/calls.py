"""What is called on an ordinary day: a call in the proportions of a busy account.

None of these changes the audit trail or anything that it stands on: an alert about one of them is a false one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Call:
    """One API call, without who made it, when and where.

    Attributes:
        service: `eventSource` without `.amazonaws.com`.
        error: code and message, if it failed.
    """

    service: str
    name: str
    read_only: bool
    request: dict[str, Any] | None = None
    response: dict[str, Any] | None = None
    error: tuple[str, str] | None = None
    additional: dict[str, Any] | None = None
    resources: tuple[dict[str, Any], ...] = ()
    user_agent: str | None = None


def hex_digits(rng: Random, length: int = 17) -> str:
    """So many random hexadecimal digits, as AWS's ids end in."""
    return f"{rng.getrandbits(length * 4):0{length}x}"


def _describe_instances(rng: Random) -> Call:
    filters = [{"name": "tag:Environment", "valueSet": {"items": [{"value": rng.choice(("prod", "staging"))}]}}]
    return Call("ec2", "DescribeInstances", True, {"maxResults": 1000, "filterSet": {"items": filters}})


def _describe_volumes(rng: Random) -> Call:
    volumes = [{"volumeId": f"vol-0{hex_digits(rng)}"} for _ in range(rng.randrange(1, 6))]
    return Call("ec2", "DescribeVolumes", True, {"volumeSet": {"items": volumes}, "filterSet": {}})


def _describe_interfaces(rng: Random) -> Call:
    wanted = [{"name": "attachment.instance-id", "valueSet": {"items": [{"value": f"i-0{hex_digits(rng)}"}]}}]
    return Call("ec2", "DescribeNetworkInterfaces", True, {"filterSet": {"items": wanted}})


def _create_tags(rng: Random) -> Call:
    request = {
        "resourcesSet": {"items": [{"resourceId": f"i-0{hex_digits(rng)}"}]},
        "tagSet": {"items": [{"key": "karpenter.sh/nodeclaim", "value": f"default-{hex_digits(rng, 5)}"}]},
    }
    return Call("ec2", "CreateTags", False, request, {"requestId": hex_digits(rng, 32), "_return": True})


def _run_instances(rng: Random) -> Call:
    image = f"ami-0{hex_digits(rng)}"
    request = {
        "instancesSet": {"items": [{"imageId": image, "minCount": 1, "maxCount": 1}]},
        "instanceType": rng.choice(("m7g.large", "c7g.2xlarge", "t4g.medium")),
        "blockDeviceMapping": {},
        "monitoring": {"enabled": False},
        "subnetId": f"subnet-0{hex_digits(rng)}",
        "disableApiTermination": False,
        "clientToken": f"fleet-{hex_digits(rng, 8)}-{hex_digits(rng, 4)}-{hex_digits(rng, 12)}-0",
    }
    items = [
        {
            "instanceId": f"i-0{hex_digits(rng)}",
            "imageId": image,
            "instanceState": {"code": 0, "name": "pending"},
            "privateDnsName": f"ip-10-0-{rng.randrange(256)}-{rng.randrange(256)}.ec2.internal",
            "amiLaunchIndex": 0,
            "placement": {"availabilityZone": "us-east-1b", "tenancy": "default"},
            "hypervisor": "xen",
            "virtualizationType": "hvm",
            "sourceDestCheck": True,
        }
    ]
    response = {
        "requestId": hex_digits(rng, 32),
        "reservationId": f"r-0{hex_digits(rng)}",
        "instancesSet": {"items": items},
    }
    return Call("ec2", "RunInstances", False, request, response)


def _dry_run(rng: Random) -> Call:
    error = ("Client.DryRunOperation", "Request would have succeeded, but DryRun flag is set.")
    request = {"instancesSet": {"items": [{"instanceId": f"i-0{hex_digits(rng)}"}]}, "dryRun": True}
    return Call("ec2", "StopInstances", False, request, error=error)


def _assume_role(rng: Random) -> Call:
    role = rng.choice(("eks-node", "checkout-api", "order-events-lambda", "terraform-deploy"))
    arn = f"arn:aws:iam::111122223333:role/{role}"
    session = f"{role}-{hex_digits(rng, 10)}"
    response = {
        "credentials": {
            "accessKeyId": f"ASIA{hex_digits(rng, 9).upper()}EXAMPLE",
            "sessionToken": "HIDDEN_DUE_TO_SECURITY_REASONS",
            "expiration": "Jan 1, 2026, 1:00:00 AM",
        },
        "assumedRoleUser": {"assumedRoleId": f"AROAEXAMPLE:{session}", "arn": f"{arn}/{session}"},
    }
    resource = {"accountId": "111122223333", "type": "AWS::IAM::Role", "ARN": arn}
    request = {"roleArn": arn, "roleSessionName": session, "durationSeconds": 3600}
    return Call("sts", "AssumeRole", True, request, response, resources=(resource,))


def _caller_identity(_: Random) -> Call:
    return Call("sts", "GetCallerIdentity", True)


def _decrypt(rng: Random) -> Call:
    key_id = "-".join(hex_digits(rng, length) for length in (8, 4, 4, 4, 12))
    arn = f"arn:aws:kms:us-east-1:111122223333:key/{key_id}"
    request = {
        "encryptionContext": {"aws:s3:arn": f"arn:aws:s3:::example-orders/{rng.randrange(10_000)}.parquet"},
        "encryptionAlgorithm": "SYMMETRIC_DEFAULT",
    }
    return Call(
        "kms",
        "Decrypt",
        True,
        request,
        resources=({"accountId": "111122223333", "type": "AWS::KMS::Key", "ARN": arn},),
    )


def _data_key(rng: Random) -> Call:
    return Call("kms", "GenerateDataKey", True, {"keySpec": "AES_256", "keyId": f"alias/{hex_digits(rng, 6)}"})


def _bucket_acl(rng: Random) -> Call:
    name = f"example-{rng.choice(('orders', 'web-assets', 'builds', 'exports'))}"
    return Call(
        "s3",
        "GetBucketAcl",
        True,
        {"bucketName": name, "Host": f"{name}.s3.us-east-1.amazonaws.com", "acl": ""},
        additional={
            "SignatureVersion": "SigV4",
            "CipherSuite": "TLS_AES_128_GCM_SHA256",
            "bytesTransferredIn": 0,
            "AuthenticationMethod": "AuthHeader",
            "x-amz-id-2": hex_digits(rng, 76),
            "bytesTransferredOut": rng.randrange(400, 900),
        },
        resources=({"accountId": "111122223333", "type": "AWS::S3::Bucket", "ARN": f"arn:aws:s3:::{name}"},),
    )


def _list_buckets(_: Random) -> Call:
    return Call("s3", "ListBuckets", True, {"Host": "s3.us-east-1.amazonaws.com"})


def _get_parameter(rng: Random) -> Call:
    return Call("ssm", "GetParameter", True, {"name": f"/app/{rng.choice('abcdef')}/dsn", "withDecryption": True})


def _heartbeat(rng: Random) -> Call:
    return Call(
        "ssm", "UpdateInstanceInformation", False, {"instanceId": f"i-0{hex_digits(rng)}", "agentStatus": "Active"}
    )


def _metric_data(rng: Random) -> Call:
    return Call(
        "monitoring", "GetMetricData", True, {"maxDatapoints": rng.choice((100, 500)), "scanBy": "TimestampAscending"}
    )


def _create_log_stream(rng: Random) -> Call:
    request = {
        "logGroupName": "/aws/lambda/order-events",
        "logStreamName": f"2026/01/01/[$LATEST]{hex_digits(rng, 32)}",
    }
    return Call("logs", "CreateLogStream", False, request)


def _no_such_stream(rng: Random) -> Call:
    error = ("ResourceNotFoundException", "The specified log group does not exist.")
    return Call("logs", "DescribeLogStreams", True, {"logGroupName": f"/app/{hex_digits(rng, 6)}"}, error=error)


def _target_health(rng: Random) -> Call:
    arn = f"arn:aws:elasticloadbalancing:us-east-1:111122223333:targetgroup/web/{hex_digits(rng, 16)}"
    return Call("elasticloadbalancing", "DescribeTargetHealth", True, {"targetGroupArn": arn})


def _batch_get_image(rng: Random) -> Call:
    request = {
        "repositoryName": "checkout-api",
        "imageIds": [{"imageDigest": f"sha256:{hex_digits(rng, 64)}"}],
        "acceptedMediaTypes": ["application/vnd.docker.distribution.manifest.v2+json"],
    }
    return Call("ecr", "BatchGetImage", True, request)


def _get_function(rng: Random) -> Call:
    return Call("lambda", "GetFunction20150331v2", True, {"functionName": f"order-events-{rng.randrange(9)}"})


def _list_users(_: Random) -> Call:
    return Call("iam", "ListUsers", True, {"maxItems": 100})


def _get_secret(rng: Random) -> Call:
    error = ("AccessDenied", "User is not authorized to perform: secretsmanager:GetSecretValue")
    return Call("secretsmanager", "GetSecretValue", True, {"secretId": f"app/{hex_digits(rng, 6)}"}, error=error)


ORDINARY: Final[tuple[tuple[int, Callable[[Random], Call]], ...]] = (
    (14, _describe_instances),
    (8, _describe_volumes),
    (8, _describe_interfaces),
    (3, _create_tags),
    (3, _run_instances),
    (1, _dry_run),
    (16, _assume_role),
    (3, _caller_identity),
    (12, _decrypt),
    (8, _data_key),
    (8, _bucket_acl),
    (1, _list_buckets),
    (5, _get_parameter),
    (6, _heartbeat),
    (5, _metric_data),
    (5, _create_log_stream),
    (2, _no_such_stream),
    (6, _target_health),
    (4, _batch_get_image),
    (3, _get_function),
    (1, _list_users),
    (1, _get_secret),
)
"""What is called, with how often in proportion."""
