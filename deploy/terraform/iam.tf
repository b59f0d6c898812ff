# What each may do: the worker, KEDA and operators apart. What is optional is off until its variable is set.

resource "aws_iam_policy" "worker_policy" {
  name        = "${var.name}-worker"
  description = "What `trailstream run` needs"
  policy      = data.aws_iam_policy_document.worker.json
}

data "aws_iam_policy_document" "worker" {
  statement {
    sid       = "ReadQueue"
    actions   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"]
    resources = [aws_sqs_queue.queue.arn]
  }

  statement {
    sid       = "MeasureDeadLetters"
    actions   = ["sqs:GetQueueUrl", "sqs:GetQueueAttributes"]
    resources = [aws_sqs_queue.dead_letter_queue.arn]
  }

  statement {
    sid       = "UseQueueKey"
    actions   = ["kms:Decrypt"]
    resources = [aws_kms_key.key.arn]
    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["sqs.${local.region}.amazonaws.com"]
    }
  }

  dynamic "statement" {
    for_each = var.ledger ? [true] : []
    content {
      sid       = "UseLedger"
      actions   = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:DeleteItem"]
      resources = [local.arn.ledger]
    }
  }

  dynamic "statement" {
    for_each = var.alert_topic_arn != "" ? [true] : []
    content {
      sid       = "PublishAlerts"
      actions   = ["sns:Publish"]
      resources = [var.alert_topic_arn]
    }
  }

  dynamic "statement" {
    # EventBridge takes events for a bus that is gone, and drops them: so that it is looked for.
    for_each = var.alert_bus_arn != "" ? [true] : []
    content {
      sid       = "PutAlerts"
      actions   = ["events:PutEvents", "events:DescribeEventBus"]
      resources = [var.alert_bus_arn]
    }
  }

  dynamic "statement" {
    for_each = var.alert_bucket != "" ? [true] : []
    content {
      sid       = "StoreAlerts"
      actions   = ["s3:PutObject"]
      resources = ["arn:${local.partition}:s3:::${var.alert_bucket}/*"]
    }
  }

  dynamic "statement" {
    # SES asks for the second where a message is given whole, as ours are.
    for_each = var.ses_identity_arn != "" ? [true] : []
    content {
      sid       = "MailAlerts"
      actions   = ["ses:SendEmail", "ses:SendRawEmail"]
      resources = [var.ses_identity_arn]
    }
  }

  dynamic "statement" {
    # A telephone number has no ARN: everything but topics.
    for_each = var.sms ? [true] : []
    content {
      sid           = "TextAlerts"
      actions       = ["sns:Publish"]
      not_resources = ["arn:${local.partition}:sns:*:*:*"]
    }
  }

  dynamic "statement" {
    for_each = var.security_hub ? [true] : []
    content {
      sid       = "ImportFindings"
      actions   = ["securityhub:BatchImportFindings"]
      resources = ["arn:${local.partition}:securityhub:*:${local.account}:product/${local.account}/default"]
    }
  }

  dynamic "statement" {
    for_each = var.organizations ? [true] : []
    content {
      sid = "NameAccounts"
      actions = [
        "organizations:ListAccounts",
        "organizations:ListAccountsForParent",
        "organizations:ListOrganizationalUnitsForParent",
        "organizations:ListRoots",
        "organizations:ListTagsForResource",
      ]
      resources = ["*"]
    }
  }

  dynamic "statement" {
    for_each = var.trails ? [true] : []
    content {
      sid       = "FindTrails"
      actions   = ["cloudtrail:DescribeTrails", "cloudtrail:GetTrailStatus"]
      resources = ["*"]
    }
  }

  dynamic "statement" {
    for_each = var.probes && var.ledger ? [true] : []
    content {
      sid       = "LookAtLedger"
      actions   = ["dynamodb:DescribeTable", "dynamodb:DescribeTimeToLive"]
      resources = [local.arn.ledger]
    }
  }

  dynamic "statement" {
    for_each = var.probes && var.alert_topic_arn != "" ? [true] : []
    content {
      sid       = "LookAtTopic"
      actions   = ["sns:GetTopicAttributes"]
      resources = [var.alert_topic_arn]
    }
  }

  dynamic "statement" {
    for_each = var.probes && var.alert_bucket != "" ? [true] : []
    content {
      sid       = "LookAtBucket"
      actions   = ["s3:ListBucket"]
      resources = ["arn:${local.partition}:s3:::${var.alert_bucket}"]
    }
  }

  dynamic "statement" {
    for_each = var.probes && var.ses_identity_arn != "" ? [true] : []
    content {
      sid       = "LookAtSes"
      actions   = ["ses:GetAccount"]
      resources = ["*"]
    }
  }

  dynamic "statement" {
    for_each = var.probes && var.sms ? [true] : []
    content {
      sid       = "LookAtSms"
      actions   = ["sns:GetSMSAttributes"]
      resources = ["*"]
    }
  }

  dynamic "statement" {
    for_each = var.probes && var.security_hub ? [true] : []
    content {
      sid       = "LookAtSecurityHub"
      actions   = ["securityhub:DescribeHub"]
      resources = ["arn:${local.partition}:securityhub:*:${local.account}:hub/default"]
    }
  }
}

resource "aws_iam_policy" "scaler_policy" {
  name        = "${var.name}-scaler"
  description = "What KEDA needs to size the workers"
  policy      = data.aws_iam_policy_document.scaler.json
}

data "aws_iam_policy_document" "scaler" {
  statement {
    sid       = "MeasureQueue"
    actions   = ["sqs:GetQueueAttributes"]
    resources = [aws_sqs_queue.queue.arn]
  }
}

resource "aws_iam_policy" "operator_policy" {
  name        = "${var.name}-operator"
  description = "What people need for `trailstream redrive`, `replay`, `scan` and `verify`"
  policy      = data.aws_iam_policy_document.operator.json
}

data "aws_iam_policy_document" "operator" {
  # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-configure-dead-letter-queue-redrive.html:
  # who starts a move needs to be allowed what the move does.
  statement {
    sid = "RedriveDeadLetters"
    actions = [
      "sqs:StartMessageMoveTask",
      "sqs:ListMessageMoveTasks",
      "sqs:ReceiveMessage",
      "sqs:ChangeMessageVisibility",
      "sqs:DeleteMessage",
      "sqs:GetQueueAttributes",
      "sqs:GetQueueUrl",
    ]
    resources = [aws_sqs_queue.dead_letter_queue.arn]
  }

  statement {
    sid       = "SendToQueue"
    actions   = ["sqs:SendMessage", "sqs:GetQueueAttributes"]
    resources = [aws_sqs_queue.queue.arn]
  }

  statement {
    sid       = "UseQueueKey"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [aws_kms_key.key.arn]
    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["sqs.${local.region}.amazonaws.com"]
    }
  }
}

resource "aws_iam_policy" "log_reader_policy" {
  count = local.reads_logs ? 1 : 0

  name        = "${var.name}-log-reader"
  description = "Log files, and nothing else of their buckets; for workers and operators"
  policy      = data.aws_iam_policy_document.log_reader.json
}

data "aws_iam_policy_document" "log_reader" {
  statement {
    sid     = "ReadLogFiles"
    actions = ["s3:GetObject", "s3:GetObjectVersion"]
    resources = concat(
      [for arn in local.log_bucket_arns : "${arn}/*AWSLogs/*/CloudTrail/*"],
      [for arn in local.log_bucket_arns : "${arn}/*AWSLogs/*/CloudTrail-NetworkActivity/*"],
    )
  }

  # Without it S3 answers 403, not 404, for a log file that was deleted.
  statement {
    sid       = "ListLogBuckets"
    actions   = ["s3:ListBucket"]
    resources = local.log_bucket_arns
  }

  dynamic "statement" {
    for_each = length(var.log_key_arns) > 0 ? [true] : []
    content {
      sid       = "DecryptLogFiles"
      actions   = ["kms:Decrypt"]
      resources = var.log_key_arns
      condition {
        test     = "StringLike"
        variable = "kms:ViaService"
        values   = ["s3.*.amazonaws.com"]
      }
    }
  }
}

resource "aws_iam_policy" "digest_policy" {
  count = local.reads_logs ? 1 : 0

  name        = "${var.name}-digests"
  description = "What it takes to verify log files by CloudTrail's digests; for operators, and workers if asked for"
  policy      = data.aws_iam_policy_document.digest.json
}

data "aws_iam_policy_document" "digest" {
  statement {
    sid       = "ReadDigests"
    actions   = ["s3:GetObject"]
    resources = [for arn in local.log_bucket_arns : "${arn}/*AWSLogs/*/CloudTrail-Digest/*"]
  }

  statement {
    sid       = "ListPublicKeys"
    actions   = ["cloudtrail:ListPublicKeys"]
    resources = ["*"]
  }
}
