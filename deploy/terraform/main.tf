# What Trailstream stands on: see ../cloudformation/trailstream.yaml, which makes the same.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.name
  # ARNs of queues, rules and buckets are spelt out where a reference would make a circle.
  arn = {
    bucket            = "arn:${local.partition}:s3:::${var.name}-logs-${local.account}-${local.region}"
    dead_letter_queue = "arn:${local.partition}:sqs:${local.region}:${local.account}:${var.name}-dead-letters"
    event_bus         = "arn:${local.partition}:events:${local.region}:${local.account}:event-bus/${var.name}"
    ledger            = "arn:${local.partition}:dynamodb:${local.region}:${local.account}:table/${var.name}"
    queue             = "arn:${local.partition}:sqs:${local.region}:${local.account}:${var.name}"
  }

  # Of the default bus, and of our own.
  rule_arns = [
    "arn:${local.partition}:events:${local.region}:${local.account}:rule/${var.name}-*",
    "arn:${local.partition}:events:${local.region}:${local.account}:rule/${var.name}/${var.name}-*",
  ]

  from_new_bucket  = var.log_source == "new-bucket"
  from_topic       = var.log_source == "sns-topic"
  from_eventbridge = var.log_source == "eventbridge"
  from_buckets     = local.from_new_bucket || (var.log_source == "none" && length(var.log_bucket_arns) > 0)
  from_rules       = local.from_eventbridge || var.inline_events
  has_organization = var.inline_events && var.organization_id != ""
  log_account      = local.from_new_bucket || var.log_account == "" ? local.account : var.log_account
  trail_account    = var.trail_account == "" ? local.account : var.trail_account
  log_bucket_arns  = local.from_new_bucket ? [local.arn.bucket] : var.log_bucket_arns
  reads_logs       = length(local.log_bucket_arns) > 0
}

resource "aws_kms_key" "key" {
  description             = "Messages of the queue ${var.name}"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = data.aws_iam_policy_document.key.json
}

resource "aws_kms_alias" "key_alias" {
  name          = "alias/${var.name}"
  target_key_id = aws_kms_key.key.key_id
}

data "aws_iam_policy_document" "key" {
  # It is the key's own policy: "*" is this key, and the account has to be able to administer it.
  #checkov:skip=CKV_AWS_109:the resource of a key's own policy is always "*"
  #checkov:skip=CKV_AWS_111:the resource of a key's own policy is always "*"
  #checkov:skip=CKV_AWS_356:the resource of a key's own policy is always "*"
  statement {
    sid       = "Administer"
    actions   = ["kms:*"]
    resources = ["*"]
    principals {
      type        = "AWS"
      identifiers = ["arn:${local.partition}:iam::${local.account}:root"]
    }
  }

  # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html: who sends to
  # the queue uses its key.
  dynamic "statement" {
    for_each = local.from_buckets ? [true] : []
    content {
      sid       = "BucketsSend"
      actions   = ["kms:GenerateDataKey", "kms:Decrypt"]
      resources = ["*"]
      principals {
        type        = "Service"
        identifiers = ["s3.amazonaws.com"]
      }
      condition {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [local.log_account]
      }
      condition {
        test     = "ArnLike"
        variable = "aws:SourceArn"
        values   = local.log_bucket_arns
      }
    }
  }

  dynamic "statement" {
    for_each = local.from_topic ? [true] : []
    content {
      sid       = "TopicSends"
      actions   = ["kms:GenerateDataKey", "kms:Decrypt"]
      resources = ["*"]
      principals {
        type        = "Service"
        identifiers = ["sns.amazonaws.com"]
      }
      condition {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [local.log_account]
      }
      condition {
        test     = "ArnLike"
        variable = "aws:SourceArn"
        values   = [var.log_topic_arn]
      }
    }
  }

  dynamic "statement" {
    for_each = local.from_rules ? [true] : []
    content {
      sid       = "RulesSend"
      actions   = ["kms:GenerateDataKey", "kms:Decrypt"]
      resources = ["*"]
      principals {
        type        = "Service"
        identifiers = ["events.amazonaws.com"]
      }
      condition {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [local.account]
      }
      condition {
        test     = "ArnLike"
        variable = "aws:SourceArn"
        values   = local.rule_arns
      }
    }
  }
}

resource "aws_sqs_queue" "queue" {
  name                              = var.name
  visibility_timeout_seconds        = 120
  message_retention_seconds         = 1209600
  receive_wait_time_seconds         = 20
  kms_master_key_id                 = aws_kms_key.key.arn
  kms_data_key_reuse_period_seconds = 3600

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letter_queue.arn
    # Each release of a message, as in a roll-out, costs a receive: fewer would drive good messages out.
    maxReceiveCount = 10
  })

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_sqs_queue" "dead_letter_queue" {
  name                       = "${var.name}-dead-letters"
  visibility_timeout_seconds = 120
  # Counted from when the message was first sent, not from when it came here: the longest there is.
  message_retention_seconds         = 1209600
  receive_wait_time_seconds         = 20
  kms_master_key_id                 = aws_kms_key.key.arn
  kms_data_key_reuse_period_seconds = 3600

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [local.arn.queue]
  })

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_sqs_queue_policy" "queue_policy" {
  queue_url = aws_sqs_queue.queue.url
  policy    = data.aws_iam_policy_document.queue.json
}

data "aws_iam_policy_document" "queue" {
  statement {
    sid       = "DenyPlainHttp"
    effect    = "Deny"
    actions   = ["sqs:*"]
    resources = [local.arn.queue]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }

  dynamic "statement" {
    for_each = local.from_buckets ? [true] : []
    content {
      sid       = "BucketsSend"
      actions   = ["sqs:SendMessage"]
      resources = [local.arn.queue]
      principals {
        type        = "Service"
        identifiers = ["s3.amazonaws.com"]
      }
      condition {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [local.log_account]
      }
      condition {
        test     = "ArnLike"
        variable = "aws:SourceArn"
        values   = local.log_bucket_arns
      }
    }
  }

  dynamic "statement" {
    for_each = local.from_topic ? [true] : []
    content {
      sid       = "TopicSends"
      actions   = ["sqs:SendMessage"]
      resources = [local.arn.queue]
      principals {
        type        = "Service"
        identifiers = ["sns.amazonaws.com"]
      }
      condition {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [local.log_account]
      }
      condition {
        test     = "ArnLike"
        variable = "aws:SourceArn"
        values   = [var.log_topic_arn]
      }
    }
  }

  dynamic "statement" {
    for_each = local.from_rules ? [true] : []
    content {
      sid       = "RulesSend"
      actions   = ["sqs:SendMessage"]
      resources = [local.arn.queue]
      principals {
        type        = "Service"
        identifiers = ["events.amazonaws.com"]
      }
      condition {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [local.account]
      }
      condition {
        test     = "ArnLike"
        variable = "aws:SourceArn"
        values   = local.rule_arns
      }
    }
  }
}

resource "aws_sqs_queue_policy" "dead_letter_queue_policy" {
  queue_url = aws_sqs_queue.dead_letter_queue.url
  policy    = data.aws_iam_policy_document.dead_letter_queue.json
}

data "aws_iam_policy_document" "dead_letter_queue" {
  statement {
    sid       = "DenyPlainHttp"
    effect    = "Deny"
    actions   = ["sqs:*"]
    resources = [local.arn.dead_letter_queue]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_dynamodb_table" "ledger_table" {
  #checkov:skip=CKV_AWS_119:it holds ids of alerts and short notes; the AWS-managed key spares each replica a key's permissions
  count = var.ledger ? 1 : 0

  name                        = var.name
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "id"
  deletion_protection_enabled = true

  attribute {
    name = "id"
    type = "S"
  }

  ttl {
    attribute_name = "expires_at"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled = true
  }
}

resource "aws_cloudwatch_metric_alarm" "dead_letters_alarm" {
  alarm_name          = "${var.name}-dead-letters"
  alarm_description   = "Messages failed and wait in the dead-letter queue. Alerts may not have been sent."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = aws_sqs_queue.dead_letter_queue.name }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 1
  threshold           = 0
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = compact([var.alarm_topic_arn])
  ok_actions          = compact([var.alarm_topic_arn])
}

resource "aws_cloudwatch_metric_alarm" "oldest_message_alarm" {
  alarm_name          = "${var.name}-oldest-message"
  alarm_description   = "Nobody reads the queue, or not fast enough. Alerts come late."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateAgeOfOldestMessage"
  dimensions          = { QueueName = aws_sqs_queue.queue.name }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 5
  threshold           = var.oldest_message_seconds
  comparison_operator = "GreaterThanThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = compact([var.alarm_topic_arn])
  ok_actions          = compact([var.alarm_topic_arn])
}

resource "aws_cloudwatch_metric_alarm" "nothing_sent_alarm" {
  alarm_name          = "${var.name}-nothing-sent"
  alarm_description   = "Nothing was sent to the queue for an hour. The trail, its bucket or the way from it may be off."
  namespace           = "AWS/SQS"
  metric_name         = "NumberOfMessagesSent"
  dimensions          = { QueueName = aws_sqs_queue.queue.name }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 12
  threshold           = 1
  comparison_operator = "LessThanThreshold"
  treat_missing_data  = "breaching"
  alarm_actions       = compact([var.alarm_topic_arn])
  ok_actions          = compact([var.alarm_topic_arn])
}
