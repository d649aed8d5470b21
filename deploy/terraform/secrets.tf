# Passwords of Tally's own users. They are generated while Terraform runs, written to Secrets Manager by write-only
# arguments, and are neither in the state nor in a plan. Raise secrets_version to replace them.

ephemeral "aws_secretsmanager_random_password" "database" {
  password_length = 40
  # It is part of a URL.
  exclude_punctuation = true
}

ephemeral "aws_secretsmanager_random_password" "tasks" {
  password_length     = 40
  exclude_punctuation = true
}

# The user `tally` itself is created once, by SQL: docs/cloud.md.
resource "aws_secretsmanager_secret" "database" {
  # checkov:skip=CKV2_AWS_57:The service reads its URL at the start, so a rotation needs a restart: raise secrets_version.
  name                    = "${var.name}/database"
  description             = "Password of the PostgreSQL user tally"
  kms_key_id              = aws_kms_key.data.arn
  recovery_window_in_days = var.deletion_protection ? 30 : 0
}

resource "aws_secretsmanager_secret_version" "database" {
  secret_id                = aws_secretsmanager_secret.database.id
  secret_string_wo         = ephemeral.aws_secretsmanager_random_password.database.random_password
  secret_string_wo_version = var.secrets_version
}

resource "aws_secretsmanager_secret" "tasks" {
  # checkov:skip=CKV2_AWS_57:The service reads its URL at the start, so a rotation needs a restart: raise secrets_version.
  name                    = "${var.name}/tasks"
  description             = "Password of the task store"
  kms_key_id              = aws_kms_key.data.arn
  recovery_window_in_days = var.deletion_protection ? 30 : 0
}

resource "aws_secretsmanager_secret_version" "tasks" {
  secret_id                = aws_secretsmanager_secret.tasks.id
  secret_string_wo         = ephemeral.aws_secretsmanager_random_password.tasks.random_password
  secret_string_wo_version = var.secrets_version
}

ephemeral "aws_secretsmanager_secret_version" "tasks" {
  count = local.use_elasticache ? 1 : 0

  secret_id  = aws_secretsmanager_secret_version.tasks.secret_id
  version_id = aws_secretsmanager_secret_version.tasks.version_id
}

data "aws_secretsmanager_secret_version" "tasks" {
  count = local.use_memorydb ? 1 : 0

  secret_id  = aws_secretsmanager_secret_version.tasks.secret_id
  version_id = aws_secretsmanager_secret_version.tasks.version_id
}
