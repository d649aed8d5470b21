locals {
  # With a /16: nodes and pods in /20s, since every pod has an address of its subnet; load balancer and stores in /24s.
  private_subnets  = [for n, zone in var.availability_zones : cidrsubnet(var.vpc_cidr, 4, n)]
  public_subnets   = [for n, zone in var.availability_zones : cidrsubnet(var.vpc_cidr, 8, 128 + n)]
  database_subnets = [for n, zone in var.availability_zones : cidrsubnet(var.vpc_cidr, 8, 144 + n)]
}

module "vpc" {
  source  = "terraform-aws-modules/vpc/aws"
  version = "~> 6.6"

  name = var.name
  cidr = var.vpc_cidr
  azs  = var.availability_zones

  private_subnets  = local.private_subnets
  public_subnets   = local.public_subnets
  database_subnets = local.database_subnets

  # The stores have no route to the internet.
  create_database_subnet_group       = true
  create_database_subnet_route_table = true

  enable_nat_gateway     = true
  single_nat_gateway     = var.nat_gateways == "single"
  one_nat_gateway_per_az = var.nat_gateways == "per-zone"

  # Nothing gets a public address by accident, and the default group admits nothing.
  map_public_ip_on_launch       = false
  manage_default_security_group = true

  enable_flow_log                                 = var.flow_logs
  create_flow_log_cloudwatch_log_group            = var.flow_logs
  create_flow_log_cloudwatch_iam_role             = var.flow_logs
  flow_log_cloudwatch_log_group_retention_in_days = var.log_retention_days
  flow_log_cloudwatch_log_group_kms_key_id        = aws_kms_key.data.arn

  # How the load balancer controller finds its subnets.
  public_subnet_tags  = { "kubernetes.io/role/elb" = "1" }
  private_subnet_tags = { "kubernetes.io/role/internal-elb" = "1" }
}

# Layers of images come from S3: they need not pass the NAT gateway, which charges by the gigabyte. The endpoint is free.
resource "aws_vpc_endpoint" "s3" {
  vpc_id            = module.vpc.vpc_id
  service_name      = "com.amazonaws.${var.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = module.vpc.private_route_table_ids

  tags = { Name = "${var.name}-s3" }
}
