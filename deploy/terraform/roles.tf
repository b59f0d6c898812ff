# Who may be the worker, KEDA's scaler and an operator.

locals {
  by_pod_identity = var.identity == "pod-identity"
  by_irsa         = var.identity == "irsa"
  keda_assumes    = var.keda_operator_role_arn != ""
  has_roles       = local.by_pod_identity || local.by_irsa
  has_scaler_role = local.has_roles || local.keda_assumes
  has_operators   = length(var.operator_principals) > 0
  oidc_arn        = "arn:${local.partition}:iam::${local.account}:oidc-provider/${var.oidc_provider}"
  boundary        = var.permissions_boundary == "" ? null : var.permissions_boundary
}

resource "aws_iam_role" "worker_role" {
  count = local.has_roles ? 1 : 0

  name                 = "${var.name}-worker"
  description          = "Of the pods that run Trailstream"
  permissions_boundary = local.boundary
  assume_role_policy   = data.aws_iam_policy_document.worker_trust.json

  lifecycle {
    precondition {
      condition     = local.by_irsa ? var.oidc_provider != "" : var.cluster_name != ""
      error_message = "identity pod-identity needs cluster_name, irsa oidc_provider."
    }
  }
}

data "aws_iam_policy_document" "worker_trust" {
  dynamic "statement" {
    for_each = local.by_irsa ? [true] : []
    content {
      sid     = "PodsAssume"
      actions = ["sts:AssumeRoleWithWebIdentity"]
      principals {
        type        = "Federated"
        identifiers = [local.oidc_arn]
      }
      condition {
        test     = "StringEquals"
        variable = "${var.oidc_provider}:aud"
        values   = ["sts.amazonaws.com"]
      }
      condition {
        test     = "StringEquals"
        variable = "${var.oidc_provider}:sub"
        values   = ["system:serviceaccount:${var.namespace}:${var.service_account}"]
      }
    }
  }

  dynamic "statement" {
    for_each = local.by_irsa ? [] : [true]
    content {
      sid     = "PodsAssume"
      actions = ["sts:AssumeRole", "sts:TagSession"]
      principals {
        type        = "Service"
        identifiers = ["pods.eks.amazonaws.com"]
      }
      condition {
        test     = "StringEquals"
        variable = "aws:RequestTag/eks-cluster-arn"
        values   = ["arn:${local.partition}:eks:${local.region}:${local.account}:cluster/${var.cluster_name}"]
      }
      condition {
        test     = "StringEquals"
        variable = "aws:RequestTag/kubernetes-namespace"
        values   = [var.namespace]
      }
      condition {
        test     = "StringEquals"
        variable = "aws:RequestTag/kubernetes-service-account"
        values   = [var.service_account]
      }
    }
  }
}

resource "aws_iam_role_policy_attachment" "worker" {
  count = local.has_roles ? 1 : 0

  role       = aws_iam_role.worker_role[0].name
  policy_arn = aws_iam_policy.worker_policy.arn
}

resource "aws_iam_role_policy_attachment" "worker_log_reader" {
  count = local.has_roles && local.reads_logs ? 1 : 0

  role       = aws_iam_role.worker_role[0].name
  policy_arn = aws_iam_policy.log_reader_policy[0].arn
}

resource "aws_iam_role_policy_attachment" "worker_digests" {
  count = local.has_roles && local.reads_logs && var.digests ? 1 : 0

  role       = aws_iam_role.worker_role[0].name
  policy_arn = aws_iam_policy.digest_policy[0].arn
}

resource "aws_eks_pod_identity_association" "worker_association" {
  count = local.by_pod_identity ? 1 : 0

  cluster_name    = var.cluster_name
  namespace       = var.namespace
  service_account = var.service_account
  role_arn        = aws_iam_role.worker_role[0].arn
}

resource "aws_iam_role" "scaler_role" {
  count = local.has_scaler_role ? 1 : 0

  name                 = "${var.name}-scaler"
  description          = "Of KEDA's operator, for Trailstream's queue"
  permissions_boundary = local.boundary
  assume_role_policy   = data.aws_iam_policy_document.scaler_trust.json
}

data "aws_iam_policy_document" "scaler_trust" {
  dynamic "statement" {
    for_each = local.keda_assumes ? [true] : []
    content {
      sid     = "KedaAssumes"
      actions = ["sts:AssumeRole", "sts:TagSession"]
      principals {
        type        = "AWS"
        identifiers = [var.keda_operator_role_arn]
      }
    }
  }

  dynamic "statement" {
    for_each = !local.keda_assumes && local.by_irsa ? [true] : []
    content {
      sid     = "PodsAssume"
      actions = ["sts:AssumeRoleWithWebIdentity"]
      principals {
        type        = "Federated"
        identifiers = [local.oidc_arn]
      }
      condition {
        test     = "StringEquals"
        variable = "${var.oidc_provider}:aud"
        values   = ["sts.amazonaws.com"]
      }
      condition {
        test     = "StringEquals"
        variable = "${var.oidc_provider}:sub"
        values   = ["system:serviceaccount:${var.keda_namespace}:${var.keda_service_account}"]
      }
    }
  }

  dynamic "statement" {
    for_each = !local.keda_assumes && !local.by_irsa ? [true] : []
    content {
      sid     = "PodsAssume"
      actions = ["sts:AssumeRole", "sts:TagSession"]
      principals {
        type        = "Service"
        identifiers = ["pods.eks.amazonaws.com"]
      }
      condition {
        test     = "StringEquals"
        variable = "aws:RequestTag/eks-cluster-arn"
        values   = ["arn:${local.partition}:eks:${local.region}:${local.account}:cluster/${var.cluster_name}"]
      }
      condition {
        test     = "StringEquals"
        variable = "aws:RequestTag/kubernetes-namespace"
        values   = [var.keda_namespace]
      }
      condition {
        test     = "StringEquals"
        variable = "aws:RequestTag/kubernetes-service-account"
        values   = [var.keda_service_account]
      }
    }
  }
}

resource "aws_iam_role_policy_attachment" "scaler" {
  count = local.has_scaler_role ? 1 : 0

  role       = aws_iam_role.scaler_role[0].name
  policy_arn = aws_iam_policy.scaler_policy.arn
}

resource "aws_eks_pod_identity_association" "scaler_association" {
  count = local.by_pod_identity && !local.keda_assumes ? 1 : 0

  cluster_name    = var.cluster_name
  namespace       = var.keda_namespace
  service_account = var.keda_service_account
  role_arn        = aws_iam_role.scaler_role[0].arn
}

resource "aws_iam_role" "operator_role" {
  count = local.has_operators ? 1 : 0

  name                 = "${var.name}-operator"
  description          = "Of people who redrive, replay, scan and verify"
  permissions_boundary = local.boundary
  assume_role_policy   = data.aws_iam_policy_document.operator_trust.json
}

data "aws_iam_policy_document" "operator_trust" {
  statement {
    sid     = "OperatorsAssume"
    actions = ["sts:AssumeRole"]
    principals {
      type        = "AWS"
      identifiers = var.operator_principals
    }
  }
}

resource "aws_iam_role_policy_attachment" "operator" {
  count = local.has_operators ? 1 : 0

  role       = aws_iam_role.operator_role[0].name
  policy_arn = aws_iam_policy.operator_policy.arn
}

resource "aws_iam_role_policy_attachment" "operator_log_reader" {
  count = local.has_operators && local.reads_logs ? 1 : 0

  role       = aws_iam_role.operator_role[0].name
  policy_arn = aws_iam_policy.log_reader_policy[0].arn
}

resource "aws_iam_role_policy_attachment" "operator_digests" {
  count = local.has_operators && local.reads_logs ? 1 : 0

  role       = aws_iam_role.operator_role[0].name
  policy_arn = aws_iam_policy.digest_policy[0].arn
}
