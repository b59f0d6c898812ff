"""The AWS session that channels' tests share: its knowledge of a service takes long to load."""

from functools import cache
from typing import Any

import botocore.session
from botocore.model import OperationModel
from botocore.validate import ParamValidator

from stream.aws import Aws
from stream.metrics import Metrics


@cache
def aws() -> Aws:
    """One session, for clients of any endpoint."""
    return Aws(Metrics())


@cache
def _operation(service: str, operation: str) -> OperationModel:
    return botocore.session.get_session().get_service_model(service).operation_model(operation)


def faults_of_parameters(service: str, operation: str, parameters: dict[str, Any]) -> str:
    """What botocore has against these parameters of an operation (`PutEvents`); nothing, if all is well."""
    report = ParamValidator().validate(parameters, _operation(service, operation).input_shape)
    return str(report.generate_report())


def sns_error(code: str) -> str:
    """The body of an answer of SNS's."""
    return (
        '<ErrorResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><Error><Type>Sender</Type>'
        f"<Code>{code}</Code><Message>no</Message></Error><RequestId>r</RequestId></ErrorResponse>"
    )


SNS_TAKEN = (
    '<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult><MessageId>m</MessageId>'
    "</PublishResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></PublishResponse>"
)
