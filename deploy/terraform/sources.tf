# The ways in: a new bucket, a topic, EventBridge, and records themselves.

resource "aws_s3_bucket" "bucket" {
  #checkov:skip=CKV_AWS_18:access logs need a bucket of their own; CloudTrail's data events say more
  #checkov:skip=CKV_AWS_144:a replica of the logs is for whoever owns them to decide
  #checkov:skip=CKV_AWS_145:a trail's own key, where it has one, takes precedence for what it writes
  #checkov:skip=CKV2_AWS_61:how long log files are kept is for whoever owns them to decide
  count = local.from_new_bucket ? 1 : 0

  bucket = "${var.name}-logs-${local.account}-${local.region}"

  lifecycle {
    prevent_destroy = true
    precondition {
      condition     = length(var.log_bucket_arns) == 0
      error_message = "log_source new-bucket makes its own bucket; log_bucket_arns has to be empty."
    }
  }
}

resource "aws_s3_bucket_versioning" "bucket" {
  count = local.from_new_bucket ? 1 : 0

  bucket = aws_s3_bucket.bucket[0].id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_ownership_controls" "bucket" {
  count = local.from_new_bucket ? 1 : 0

  bucket = aws_s3_bucket.bucket[0].id
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "bucket" {
  count = local.from_new_bucket ? 1 : 0

  bucket                  = aws_s3_bucket.bucket[0].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "bucket" {
  count = local.from_new_bucket ? 1 : 0

  bucket = aws_s3_bucket.bucket[0].id
  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_notification" "bucket" {
  count = local.from_new_bucket ? 1 : 0

  bucket = aws_s3_bucket.bucket[0].id
  queue {
    queue_arn = aws_sqs_queue.queue.arn
    events    = ["s3:ObjectCreated:*"]
  }

  depends_on = [aws_sqs_queue_policy.queue_policy] # S3 sends a test message when it is told to notify
}

resource "aws_s3_bucket_policy" "bucket_policy" {
  count = local.from_new_bucket ? 1 : 0

  bucket = aws_s3_bucket.bucket[0].id
  policy = data.aws_iam_policy_document.bucket.json

  depends_on = [aws_s3_bucket_public_access_block.bucket] # S3 takes one change of the two at a time
}

data "aws_iam_policy_document" "bucket" {
  statement {
    sid       = "DenyPlainHttp"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [local.arn.bucket, "${local.arn.bucket}/*"]
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

  # https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-s3-bucket-policy-for-cloudtrail.html
  statement {
    sid       = "TrailsLook"
    actions   = ["s3:GetBucketAcl"]
    resources = [local.arn.bucket]
    principals {
      type        = "Service"
      identifiers = ["cloudtrail.amazonaws.com"]
    }
    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = ["arn:${local.partition}:cloudtrail:*:${local.trail_account}:trail/*"]
    }
  }

  statement {
    sid       = "TrailsWrite"
    actions   = ["s3:PutObject"]
    resources = ["${local.arn.bucket}/*AWSLogs/*"]
    principals {
      type        = "Service"
      identifiers = ["cloudtrail.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "s3:x-amz-acl"
      values   = ["bucket-owner-full-control"]
    }
    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = ["arn:${local.partition}:cloudtrail:*:${local.trail_account}:trail/*"]
    }
  }
}

locals {
  # CloudTrail's have a bucket; some of AWS Config's too, but all of those a type.
  own_notifications = jsonencode({ s3Bucket = [{ exists = true }], messageType = [{ exists = false }] })
}

# A topic of another region needs a subscription made by a provider of that region: see README.md.
resource "aws_sns_topic_subscription" "subscription" {
  count = local.from_topic && var.subscribe_to_topic ? 1 : 0

  topic_arn           = var.log_topic_arn
  protocol            = "sqs"
  endpoint            = aws_sqs_queue.queue.arn
  filter_policy_scope = var.filter_topic ? "MessageBody" : null
  filter_policy       = var.filter_topic ? local.own_notifications : null

  depends_on = [aws_sqs_queue_policy.queue_policy]

  lifecycle {
    precondition {
      condition     = var.log_topic_arn != "" && length(var.log_bucket_arns) > 0
      error_message = "log_source sns-topic needs log_topic_arn, and log_bucket_arns to let the worker read them."
    }
  }
}

resource "aws_cloudwatch_event_rule" "log_files_rule" {
  count = local.from_eventbridge ? 1 : 0

  name        = "${var.name}-log-files"
  description = "Objects that are created in the buckets of log files"
  event_pattern = jsonencode({
    source        = ["aws.s3"]
    "detail-type" = ["Object Created"]
    resources     = var.log_bucket_arns
  })

  lifecycle {
    precondition {
      condition     = length(var.log_bucket_arns) > 0
      error_message = "log_source eventbridge needs log_bucket_arns."
    }
  }
}

resource "aws_cloudwatch_event_target" "log_files_rule" {
  count = local.from_eventbridge ? 1 : 0

  rule      = aws_cloudwatch_event_rule.log_files_rule[0].name
  target_id = "queue"
  arn       = aws_sqs_queue.queue.arn
}

locals {
  # Nobody but AWS can put events whose source begins with `aws.`.
  inline_events = jsonencode({
    source        = [{ prefix = "aws." }]
    "detail-type" = ["AWS API Call via CloudTrail", "AWS Service Event via CloudTrail"]
    detail = {
      eventSource = [
        "access-analyzer.amazonaws.com",
        "account.amazonaws.com",
        "cloudtrail.amazonaws.com",
        "config.amazonaws.com",
        "controltower.amazonaws.com",
        "detective.amazonaws.com",
        "guardduty.amazonaws.com",
        "inspector2.amazonaws.com",
        "macie2.amazonaws.com",
        "organizations.amazonaws.com",
        "securityhub.amazonaws.com",
        "securitylake.amazonaws.com",
      ]
    }
  })
}

resource "aws_cloudwatch_event_rule" "inline_events_rule" {
  count = var.inline_events ? 1 : 0

  name          = "${var.name}-inline-events"
  description   = "Records of the services that guard an account, themselves"
  event_pattern = local.inline_events
}

resource "aws_cloudwatch_event_target" "inline_events_rule" {
  count = var.inline_events ? 1 : 0

  rule      = aws_cloudwatch_event_rule.inline_events_rule[0].name
  target_id = "queue"
  arn       = aws_sqs_queue.queue.arn
}

resource "aws_cloudwatch_event_bus" "event_bus" {
  count = local.has_organization ? 1 : 0

  name = var.name
}

resource "aws_cloudwatch_event_bus_policy" "event_bus" {
  count = local.has_organization ? 1 : 0

  event_bus_name = aws_cloudwatch_event_bus.event_bus[0].name
  policy         = data.aws_iam_policy_document.event_bus.json
}

data "aws_iam_policy_document" "event_bus" {
  statement {
    sid       = "MembersPut"
    actions   = ["events:PutEvents"]
    resources = [local.arn.event_bus]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:PrincipalOrgID"
      values   = [var.organization_id]
    }
  }
}

resource "aws_cloudwatch_event_rule" "organization_events_rule" {
  count = local.has_organization ? 1 : 0

  name           = "${var.name}-organization-events"
  description    = "The same of the organization's members, by their rules of organization.yaml"
  event_bus_name = aws_cloudwatch_event_bus.event_bus[0].name
  event_pattern  = local.inline_events
}

resource "aws_cloudwatch_event_target" "organization_events_rule" {
  count = local.has_organization ? 1 : 0

  rule           = aws_cloudwatch_event_rule.organization_events_rule[0].name
  event_bus_name = aws_cloudwatch_event_bus.event_bus[0].name
  target_id      = "queue"
  arn            = aws_sqs_queue.queue.arn
}
