# The same as the parameters of ../cloudformation/trailstream.yaml, under the same names.

variable "name" {
  type        = string
  default     = "trailstream"
  description = "Beginning of every name."

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}$", var.name))
    error_message = "A name is 2 to 31 of a-z, 0-9 and -, and begins with a letter."
  }
}

variable "log_source" {
  type        = string
  description = <<-EOT
    new-bucket makes a bucket for a trail to write to, which notifies the queue; sns-topic subscribes the queue to
    log_topic_arn; eventbridge makes a rule for log_bucket_arns; none touches nothing, but lets log_bucket_arns notify
    the queue.
  EOT

  validation {
    condition     = contains(["new-bucket", "sns-topic", "eventbridge", "none"], var.log_source)
    error_message = "log_source is new-bucket, sns-topic, eventbridge or none."
  }
}

variable "log_bucket_arns" {
  type        = list(string)
  default     = []
  description = "ARNs of the buckets that hold log files. Empty for new-bucket."
}

variable "log_key_arns" {
  type        = list(string)
  default     = []
  description = "ARNs of the keys that log files are encrypted with."
}

variable "log_account" {
  type        = string
  default     = ""
  description = "Account that owns log_bucket_arns or log_topic_arn. Empty for this one."
}

variable "log_topic_arn" {
  type        = string
  default     = ""
  description = "Topic that tells of log files, S3's or CloudTrail's. Only for sns-topic."
}

variable "subscribe_to_topic" {
  type        = bool
  default     = true
  description = "Whether the subscription is made here. false where only the topic's own account may make it."
}

variable "filter_topic" {
  type        = bool
  default     = false
  description = "Lets only CloudTrail's own notifications through, of a topic that tells of much else (Control Tower's)."
}

variable "trail_account" {
  type        = string
  default     = ""
  description = "Account whose trails may write to the new bucket (of an organization's trail the management account). Empty for this one."
}

variable "inline_events" {
  type        = bool
  default     = false
  description = "A rule that brings records themselves within seconds; set TRAILSTREAM_INLINE_EVENTS=true as well."
}

variable "organization_id" {
  type        = string
  default     = ""
  description = "With inline_events, makes an event bus for the members of this organization (see organization/)."
}

variable "identity" {
  type        = string
  default     = "none"
  description = "How pods get their role: pod-identity or irsa. none makes the policies alone."

  validation {
    condition     = contains(["pod-identity", "irsa", "none"], var.identity)
    error_message = "identity is pod-identity, irsa or none."
  }
}

variable "cluster_name" {
  type        = string
  default     = ""
  description = "EKS cluster in this account and region. Only for pod-identity."
}

variable "oidc_provider" {
  type        = string
  default     = ""
  description = "The cluster's issuer without https://, such as oidc.eks.eu-west-1.amazonaws.com/id/ABC. Only for irsa."
}

variable "namespace" {
  type        = string
  default     = "trailstream"
  description = "Namespace of the worker."
}

variable "service_account" {
  type        = string
  default     = "trailstream"
  description = "Service account of the worker."
}

variable "keda_namespace" {
  type        = string
  default     = "keda"
  description = "Namespace of KEDA's operator."
}

variable "keda_service_account" {
  type        = string
  default     = "keda-operator"
  description = "Service account of KEDA's operator."
}

variable "keda_operator_role_arn" {
  type        = string
  default     = ""
  description = "Role that KEDA's operator already has, if it is to assume ours (roleArn of a TriggerAuthentication)."
}

variable "operator_principals" {
  type        = list(string)
  default     = []
  description = "ARNs of the roles that may assume the operator's. Empty makes the policy alone."
}

variable "permissions_boundary" {
  type        = string
  default     = ""
  description = "Policy that bounds every role here."
}

variable "alert_topic_arn" {
  type        = string
  default     = ""
  description = "Topic of TRAILSTREAM_SNS_TOPIC_ARN."
}

variable "alert_bus_arn" {
  type        = string
  default     = ""
  description = "Event bus of TRAILSTREAM_EVENTBRIDGE_BUS."
}

variable "alert_bucket" {
  type        = string
  default     = ""
  description = "Bucket of TRAILSTREAM_S3_URL."
}

variable "ses_identity_arn" {
  type        = string
  default     = ""
  description = "Identity that mail is sent from with TRAILSTREAM_SES."
}

variable "sms" {
  type        = bool
  default     = false
  description = "For TRAILSTREAM_SMS_TO."
}

variable "security_hub" {
  type        = bool
  default     = false
  description = "For TRAILSTREAM_SECURITYHUB."
}

variable "organizations" {
  type        = bool
  default     = false
  description = "For TRAILSTREAM_ACCOUNTS=organizations, which works in the management account or a delegated administrator's."
}

variable "trails" {
  type        = bool
  default     = false
  description = "Lets the worker ask CloudTrail which trails there are, for TRAILSTREAM_PROTECTED=trails."
}

variable "digests" {
  type        = bool
  default     = false
  description = "Lets the worker read CloudTrail's digest files and public keys."
}

variable "probes" {
  type        = bool
  default     = false
  description = "Lets `trailstream check` look at the ledger's table and at the channels above; nothing else needs it."
}

variable "ledger" {
  type        = bool
  default     = true
  description = "A table for what replicas remember together."
}

variable "alarm_topic_arn" {
  type        = string
  default     = ""
  description = "Topic that the alarms tell. Best one that Trailstream has no part in."
}

variable "oldest_message_seconds" {
  type        = number
  default     = 900
  description = "Age of the oldest message at which the alarm goes off."
}
