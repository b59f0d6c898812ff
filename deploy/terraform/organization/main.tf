# The rule of ../../cloudformation/organization.yaml in every member of an organization, as a StackSet. To be applied in
# the management account, or in that of a delegated administrator of CloudFormation StackSets.

terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.60, < 7"
    }
  }
}

variable "name" {
  type        = string
  default     = "trailstream"
  description = "Beginning of every name."
}

variable "central_bus_arn" {
  type        = string
  description = "Output event_bus_arn of the module above."
}

variable "organizational_unit_ids" {
  type        = list(string)
  description = "Where: the root's id (r-…) for all."
}

variable "regions" {
  type        = set(string)
  description = "Regions to watch. us-east-1 is where the global services, IAM and Organizations among them, tell."
}

variable "call_as" {
  type        = string
  default     = "SELF"
  description = "SELF in the management account, DELEGATED_ADMIN in a delegated administrator's."
}

resource "aws_cloudformation_stack_set" "members" {
  name             = "${var.name}-inline-events"
  description      = "Records of the services that guard an account, to Trailstream's bus"
  template_body    = file("${path.module}/../../cloudformation/organization.yaml")
  permission_model = "SERVICE_MANAGED"
  call_as          = var.call_as
  capabilities     = ["CAPABILITY_IAM"]

  parameters = {
    Name          = var.name
    CentralBusArn = var.central_bus_arn
  }

  auto_deployment {
    enabled                          = true
    retain_stacks_on_account_removal = false
  }

  operation_preferences {
    failure_tolerance_percentage = 10
    max_concurrent_percentage    = 25
  }

  lifecycle {
    ignore_changes = [administration_role_arn] # set by AWS where permissions are the service's
  }
}

resource "aws_cloudformation_stack_set_instance" "members" {
  for_each = var.regions

  stack_set_name = aws_cloudformation_stack_set.members.name
  region         = each.value
  call_as        = var.call_as

  deployment_targets {
    organizational_unit_ids = var.organizational_unit_ids
  }
}
