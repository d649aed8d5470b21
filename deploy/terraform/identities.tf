# AWS identities of the programs in the cluster, by EKS Pod Identity: each has a service account and no key. Tally itself
# has none, because it calls no AWS API.

module "load_balancer_controller_identity" {
  source  = "terraform-aws-modules/eks-pod-identity/aws"
  version = "~> 2.8"

  name                            = "${var.name}-load-balancer-controller"
  attach_aws_lb_controller_policy = true

  associations = {
    main = {
      cluster_name    = module.eks.cluster_name
      namespace       = "kube-system"
      service_account = "aws-load-balancer-controller"
    }
  }
}

# Copies the two passwords from Secrets Manager to the Secrets of the namespace.
module "external_secrets_identity" {
  source  = "terraform-aws-modules/eks-pod-identity/aws"
  version = "~> 2.8"

  name                                  = "${var.name}-external-secrets"
  attach_external_secrets_policy        = true
  external_secrets_secrets_manager_arns = [aws_secretsmanager_secret.database.arn, aws_secretsmanager_secret.tasks.arn]
  external_secrets_kms_key_arns         = [aws_kms_key.data.arn]
  external_secrets_create_permission    = false

  associations = {
    main = {
      cluster_name    = module.eks.cluster_name
      namespace       = "external-secrets"
      service_account = "external-secrets"
    }
  }
}

# Points the host name at the load balancer.
module "external_dns_identity" {
  source  = "terraform-aws-modules/eks-pod-identity/aws"
  version = "~> 2.8"
  count   = var.domain_name == null ? 0 : 1

  name                          = "${var.name}-external-dns"
  attach_external_dns_policy    = true
  external_dns_hosted_zone_arns = [data.aws_route53_zone.main[0].arn]

  associations = {
    main = {
      cluster_name    = module.eks.cluster_name
      namespace       = "external-dns"
      service_account = "external-dns"
    }
  }
}

# Sends the containers' logs to the one log group of logs.tf.
module "fluent_bit_identity" {
  source  = "terraform-aws-modules/eks-pod-identity/aws"
  version = "~> 2.8"

  name                 = "${var.name}-fluent-bit"
  attach_custom_policy = true
  policy_statements = [
    {
      sid       = "Write"
      actions   = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
      resources = ["${aws_cloudwatch_log_group.application.arn}:*"]
    },
  ]

  associations = {
    main = {
      cluster_name    = module.eks.cluster_name
      namespace       = "fluent-bit"
      service_account = "fluent-bit"
    }
  }
}
