# The Redis of the tasks, and of the rate limit.
#
# ElastiCache as it comes is a cache: it has no append-only file, so an accepted task is lost when its node fails, and a
# failover loses what the replica had not received. These two are different: each write is in a log in at least two
# zones before Redis answers, so a task that was confirmed survives the loss of every node. The service is set to
# REDIS_DURABLE=managed, because such a server reports no append-only file.
#
# Both work in cluster mode only. There is one shard, because the service puts all keys into one slot.

locals {
  tasks_port      = 6379
  use_elasticache = var.task_store == "elasticache"
  use_memorydb    = var.task_store == "memorydb"
  tasks_host      = local.use_elasticache ? one(aws_elasticache_replication_group.tasks[*].configuration_endpoint_address) : one(aws_memorydb_cluster.tasks[*].cluster_endpoint[0].address)
}

resource "aws_security_group" "tasks" {
  name        = "${var.name}-tasks"
  description = "Task store of ${var.name}"
  vpc_id      = module.vpc.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "tasks" {
  security_group_id            = aws_security_group.tasks.id
  description                  = "Redis from the nodes"
  referenced_security_group_id = module.eks.node_security_group_id
  ip_protocol                  = "tcp"
  from_port                    = local.tasks_port
  to_port                      = local.tasks_port
}

resource "aws_elasticache_subnet_group" "tasks" {
  count = local.use_elasticache ? 1 : 0

  name        = "${var.name}-tasks"
  description = "Task store of ${var.name}"
  subnet_ids  = module.vpc.database_subnets
}

resource "aws_elasticache_parameter_group" "tasks" {
  count = local.use_elasticache ? 1 : 0

  name        = "${var.name}-tasks"
  description = "Task store of ${var.name}"
  family      = "valkey9"

  # When memory is full, new tasks are refused and no accepted one is evicted.
  parameter {
    name  = "maxmemory-policy"
    value = "noeviction"
  }

  parameter {
    name  = "cluster-enabled"
    value = "yes"
  }
}

resource "aws_elasticache_replication_group" "tasks" {
  # checkov:skip=CKV_AWS_31:It has a token: auth_token_wo, which the check does not know.
  count = local.use_elasticache ? 1 : 0

  replication_group_id = "${var.name}-tasks"
  description          = "Task store of ${var.name}"

  engine               = "valkey"
  engine_version       = "9.0"
  parameter_group_name = aws_elasticache_parameter_group.tasks[0].name
  node_type            = var.task_store_node_type
  port                 = local.tasks_port

  # `async` answers first, and may lose ten seconds of accepted tasks.
  durability = "sync"

  # Conditions of durability: cluster mode, a replica in another zone, encryption.
  cluster_mode               = "enabled"
  num_node_groups            = 1
  replicas_per_node_group    = var.task_store_replicas
  multi_az_enabled           = true
  automatic_failover_enabled = true
  at_rest_encryption_enabled = true
  kms_key_id                 = aws_kms_key.data.arn
  transit_encryption_enabled = true
  transit_encryption_mode    = "required"

  # Read back from Secrets Manager, so that a run that stopped halfway continues with the same password; write-only, so
  # it is not in the state.
  auth_token_wo              = one(ephemeral.aws_secretsmanager_secret_version.tasks[*].secret_string)
  auth_token_wo_version      = var.secrets_version
  auth_token_update_strategy = "ROTATE"

  subnet_group_name  = aws_elasticache_subnet_group.tasks[0].name
  security_group_ids = [aws_security_group.tasks.id]

  # UTC.
  snapshot_retention_limit   = var.task_store_snapshot_days
  snapshot_window            = "02:00-03:00"
  maintenance_window         = "sun:04:30-sun:05:30"
  auto_minor_version_upgrade = true
  final_snapshot_identifier  = var.deletion_protection ? "${var.name}-tasks-final" : null

  log_delivery_configuration {
    destination_type = "cloudwatch-logs"
    destination      = aws_cloudwatch_log_group.tasks[0].name
    log_format       = "json"
    log_type         = "slow-log"
  }
}

resource "aws_memorydb_subnet_group" "tasks" {
  count = local.use_memorydb ? 1 : 0

  name        = "${var.name}-tasks"
  description = "Task store of ${var.name}"
  subnet_ids  = module.vpc.database_subnets
}

resource "aws_memorydb_parameter_group" "tasks" {
  count = local.use_memorydb ? 1 : 0

  name        = "${var.name}-tasks"
  description = "Task store of ${var.name}"
  family      = "memorydb_valkey7"

  parameter {
    name  = "maxmemory-policy"
    value = "noeviction"
  }
}

# The provider has no write-only argument for this password: with MemoryDB it is in the state.
resource "aws_memorydb_user" "tasks" {
  count = local.use_memorydb ? 1 : 0

  user_name     = "${var.name}-tasks"
  access_string = "on ~* &* +@all -@admin +info"

  authentication_mode {
    type      = "password"
    passwords = [data.aws_secretsmanager_secret_version.tasks[0].secret_string]
  }
}

resource "aws_memorydb_acl" "tasks" {
  count = local.use_memorydb ? 1 : 0

  name       = "${var.name}-tasks"
  user_names = [aws_memorydb_user.tasks[0].user_name]
}

resource "aws_memorydb_cluster" "tasks" {
  count = local.use_memorydb ? 1 : 0

  name        = "${var.name}-tasks"
  description = "Task store of ${var.name}"

  engine               = "valkey"
  engine_version       = "7.2"
  parameter_group_name = aws_memorydb_parameter_group.tasks[0].name
  node_type            = var.task_store_node_type
  port                 = local.tasks_port

  num_shards             = 1
  num_replicas_per_shard = var.task_store_replicas

  acl_name           = aws_memorydb_acl.tasks[0].name
  tls_enabled        = true
  kms_key_arn        = aws_kms_key.data.arn
  subnet_group_name  = aws_memorydb_subnet_group.tasks[0].name
  security_group_ids = [aws_security_group.tasks.id]

  # UTC.
  snapshot_retention_limit   = var.task_store_snapshot_days
  snapshot_window            = "02:00-03:00"
  maintenance_window         = "sun:04:30-sun:05:30"
  auto_minor_version_upgrade = true
  final_snapshot_name        = var.deletion_protection ? "${var.name}-tasks-final" : null
}
