output "queue_url" {
  description = "TRAILSTREAM_QUEUE_URL"
  value       = aws_sqs_queue.queue.url
}

output "buckets" {
  description = "TRAILSTREAM_BUCKETS"
  value       = join(",", [for arn in local.log_bucket_arns : element(split(":::", arn), 1)])
}

output "ledger" {
  description = "TRAILSTREAM_LEDGER"
  value       = var.ledger ? "dynamodb://${aws_dynamodb_table.ledger_table[0].name}" : "memory"
}

output "queue_arn" {
  value = aws_sqs_queue.queue.arn
}

output "dead_letter_queue_url" {
  value = aws_sqs_queue.dead_letter_queue.url
}

output "key_arn" {
  value = aws_kms_key.key.arn
}

output "event_bus_arn" {
  description = "central_bus_arn of organization/"
  value       = one(aws_cloudwatch_event_bus.event_bus[*].arn)
}

output "worker_policy_arn" {
  value = aws_iam_policy.worker_policy.arn
}

output "log_reader_policy_arn" {
  value = one(aws_iam_policy.log_reader_policy[*].arn)
}

output "digest_policy_arn" {
  value = one(aws_iam_policy.digest_policy[*].arn)
}

output "scaler_policy_arn" {
  value = aws_iam_policy.scaler_policy.arn
}

output "operator_policy_arn" {
  value = aws_iam_policy.operator_policy.arn
}

output "worker_role_arn" {
  value = one(aws_iam_role.worker_role[*].arn)
}

output "scaler_role_arn" {
  value = one(aws_iam_role.scaler_role[*].arn)
}

output "operator_role_arn" {
  value = one(aws_iam_role.operator_role[*].arn)
}
