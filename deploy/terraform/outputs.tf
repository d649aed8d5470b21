# tools/aws-overlay.ts makes an overlay for k8s/ of `terraform output -json`.

output "region" {
  description = "AWS region."
  value       = var.region
}

output "vpc_id" {
  description = "VPC, for the load balancer controller."
  value       = module.vpc.vpc_id
}

output "cluster_name" {
  description = "Name of the cluster: `aws eks update-kubeconfig --name …`."
  value       = module.eks.cluster_name
}

output "image_repository" {
  description = "Registry and repository of the image, without a tag."
  value       = aws_ecr_repository.tally.repository_url
}

output "database_host" {
  description = "Host of PostgreSQL."
  value       = aws_db_instance.main.address
}

output "database_port" {
  description = "Port of PostgreSQL."
  value       = local.database_port
}

output "database_name" {
  description = "Database."
  value       = local.database_name
}

output "database_admin_secret_arn" {
  description = "Secret with name and password of the administrator, which RDS rotates."
  value       = aws_db_instance.main.master_user_secret[0].secret_arn
}

output "database_secret_name" {
  description = "Secret with the password of the user `tally`."
  value       = aws_secretsmanager_secret.database.name
}

output "tasks_host" {
  description = "Host of the task store: the endpoint of the cluster."
  value       = local.tasks_host
}

output "tasks_port" {
  description = "Port of the task store."
  value       = local.tasks_port
}

output "tasks_user" {
  description = "User of the task store; empty for ElastiCache, which has a password only."
  value       = local.use_memorydb ? aws_memorydb_user.tasks[0].user_name : ""
}

output "tasks_secret_name" {
  description = "Secret with the password of the task store."
  value       = aws_secretsmanager_secret.tasks.name
}

output "store_cidrs" {
  description = "Networks of the stores, for the NetworkPolicy `external-stores`."
  value       = local.database_subnets
}

output "load_balancer_cidrs" {
  description = "Networks of the load balancer, for TRUSTED_PROXIES."
  value       = local.public_subnets
}

output "domain_name" {
  description = "Host name of the service, or null."
  value       = var.domain_name
}

output "certificate_arn" {
  description = "Validated certificate for the load balancer, or null."
  value       = one(aws_acm_certificate_validation.main[*].certificate_arn)
}

output "deregistration_delay_seconds" {
  description = "How long the load balancer keeps the connections of a pod that stops."
  value       = local.deregistration_delay_seconds
}

output "load_balancer_idle_timeout_seconds" {
  description = "When the load balancer closes an idle connection."
  value       = local.load_balancer_idle_timeout_seconds
}

output "log_group" {
  description = "Log group of the containers, for Fluent Bit."
  value       = aws_cloudwatch_log_group.application.name
}
