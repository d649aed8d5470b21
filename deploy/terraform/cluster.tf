locals {
  # Graviton families have a g after the generation: m7g, t4g, c7gn.
  is_arm = can(regex("^[a-z]+[0-9]+g[a-z]*\\.", var.node_instance_type))
}

module "eks" {
  source  = "terraform-aws-modules/eks/aws"
  version = "~> 21.19"

  name               = var.name
  kubernetes_version = var.kubernetes_version

  vpc_id     = module.vpc.vpc_id
  subnet_ids = module.vpc.private_subnets

  endpoint_private_access      = true
  endpoint_public_access       = length(var.cluster_public_access_cidrs) > 0
  endpoint_public_access_cidrs = var.cluster_public_access_cidrs

  deletion_protection = var.deletion_protection
  # The price of extended support is six times that of a supported version.
  upgrade_policy = { support_type = "STANDARD" }

  # Access by entries only: there is no aws-auth ConfigMap, and the identity that created the cluster has no rights of
  # its own that is out of sight.
  authentication_mode                      = "API"
  enable_cluster_creator_admin_permissions = false
  access_entries = {
    for arn in var.cluster_admin_arns : arn => {
      principal_arn = arn
      policy_associations = {
        admin = {
          policy_arn   = "arn:${data.aws_partition.current.partition}:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
          access_scope = { type = "cluster" }
        }
      }
    }
  }

  # Pods get their AWS identity by EKS Pod Identity: no OIDC provider.
  enable_irsa = false

  # Secrets are encrypted with a key of the cluster.
  create_kms_key          = true
  enable_kms_key_rotation = true
  encryption_config       = { resources = ["secrets"] }

  enabled_log_types                      = ["api", "audit", "authenticator", "controllerManager", "scheduler"]
  cloudwatch_log_group_retention_in_days = var.log_retention_days
  cloudwatch_log_group_kms_key_id        = aws_kms_key.data.arn

  addons = {
    # Before the nodes, which are not ready without it. Network policies of k8s/components/network-policy have no effect
    # unless it enforces them.
    vpc-cni = {
      before_compute       = true
      configuration_values = jsonencode({ enableNetworkPolicy = "true" })
    }
    eks-pod-identity-agent = { before_compute = true }
    coredns                = {}
    kube-proxy             = {}
    # The autoscaler's source.
    metrics-server = {}
  }

  eks_managed_node_groups = {
    main = {
      ami_type       = local.is_arm ? "AL2023_ARM_64_STANDARD" : "AL2023_x86_64_STANDARD"
      instance_types = [var.node_instance_type]

      min_size     = 2
      desired_size = var.node_count
      max_size     = var.node_count_max

      # One node at a time: its pods are evicted by the disruption budgets of k8s/base, and each drains.
      update_config      = { max_unavailable = 1 }
      node_repair_config = { enabled = true }

      # Pods cannot reach the node's credentials.
      metadata_options = {
        http_endpoint               = "enabled"
        http_tokens                 = "required"
        http_put_response_hop_limit = 1
      }

      block_device_mappings = {
        root = {
          device_name = "/dev/xvda"
          ebs = {
            volume_type           = "gp3"
            volume_size           = var.node_disk_gib
            encrypted             = true
            delete_on_termination = true
          }
        }
      }
    }
  }
}
