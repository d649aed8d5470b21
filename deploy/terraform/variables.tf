# General

variable "name" {
  description = "Name of the cluster, and the first part of every other name."
  type        = string
  default     = "tally"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,20}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 22 lower-case letters, digits and hyphens, starting with a letter."
  }
}

variable "region" {
  description = "AWS region. The prices in docs/cost.md are those of us-east-1."
  type        = string
  default     = "us-east-1"

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be the name of an AWS region, such as us-east-1."
  }
}

variable "tags" {
  description = "Tags of every resource, beside Project and ManagedBy."
  type        = map(string)
  default     = {}
}

variable "deletion_protection" {
  description = "Refuse to delete the cluster, the database and the images, and keep a final snapshot of both stores. Turn it off in a separate apply before `destroy`."
  type        = bool
  default     = true
}

# Network

variable "vpc_cidr" {
  description = "Addresses of the VPC, /16 to /20. Must not overlap with networks that are to be connected."
  type        = string
  default     = "10.40.0.0/16"

  validation {
    condition     = can(cidrhost(var.vpc_cidr, 0)) && try(tonumber(split("/", var.vpc_cidr)[1]), 0) >= 16 && try(tonumber(split("/", var.vpc_cidr)[1]), 33) <= 20
    error_message = "vpc_cidr must be an IPv4 network between /16 and /20, such as 10.40.0.0/16."
  }
}

variable "availability_zones" {
  description = "Two or three zones of the region, by name: a list that AWS extends would move the subnets. With three, the loss of one leaves two thirds of the nodes."
  type        = list(string)
  default     = ["us-east-1a", "us-east-1b", "us-east-1c"]

  validation {
    condition     = contains([2, 3], length(distinct(var.availability_zones))) && alltrue([for zone in var.availability_zones : startswith(zone, var.region)])
    error_message = "availability_zones must be two or three zones of the region: EKS, the database and the task store need two."
  }
}

variable "nat_gateways" {
  description = "`single`: one NAT gateway, whose zone takes the way out of all others with it; `per-zone`: one in each. Clients of Tally do not pass it."
  type        = string
  default     = "single"

  validation {
    condition     = contains(["single", "per-zone"], var.nat_gateways)
    error_message = "nat_gateways must be single or per-zone."
  }
}

variable "flow_logs" {
  description = "Log the connections of the VPC."
  type        = bool
  default     = true
}

# Cluster

variable "kubernetes_version" {
  description = "Version of the cluster. k8s/README.md names the tested ones. One that leaves standard support is upgraded by AWS, because the upgrade policy refuses the price of extended support."
  type        = string
  default     = "1.34"

  validation {
    condition     = can(regex("^1\\.[0-9]{2}$", var.kubernetes_version)) && try(tonumber(split(".", var.kubernetes_version)[1]), 0) >= 30
    error_message = "kubernetes_version must be 1.30 or later: older ones have no `preStop: {sleep}`, which the rollout relies on."
  }
}

variable "cluster_public_access_cidrs" {
  description = "Networks that may reach the API server from outside the VPC. Empty: only the VPC may, so `kubectl` needs a VPN or a bastion."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for cidr in var.cluster_public_access_cidrs : can(cidrhost(cidr, 0)) && cidr != "0.0.0.0/0"])
    error_message = "cluster_public_access_cidrs must be IPv4 networks such as 203.0.113.7/32, and not 0.0.0.0/0."
  }
}

variable "cluster_admin_arns" {
  description = "IAM roles or users that administer the cluster, by access entries. The identity that applies gets no rights by itself: name it here."
  type        = list(string)

  validation {
    condition     = length(var.cluster_admin_arns) > 0 && alltrue([for arn in var.cluster_admin_arns : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:(role|user)/", arn))])
    error_message = "cluster_admin_arns must name at least one IAM role or user: without it nothing can be deployed to the cluster."
  }
}

variable "node_instance_type" {
  description = "Instance type of the nodes. The image exists for arm64 and amd64; a vCPU of Graviton (m7g, t4g) is a whole core."
  type        = string
  default     = "m7g.large"

  validation {
    condition     = can(regex("^[a-z0-9-]+\\.[a-z0-9]+$", var.node_instance_type))
    error_message = "node_instance_type must be an EC2 instance type, such as m7g.large."
  }
}

variable "node_count" {
  description = "Nodes at creation. Later changes are the autoscaler's, or by hand in the node group."
  type        = number
  default     = 4

  validation {
    condition     = var.node_count >= 2 && floor(var.node_count) == var.node_count
    error_message = "node_count must be a whole number of at least 2: a node that is replaced must not be the only one."
  }
}

variable "node_count_max" {
  description = "Most nodes of the group."
  type        = number
  default     = 8

  validation {
    condition     = var.node_count_max > var.node_count
    error_message = "node_count_max must be above node_count: an upgrade adds a node before it removes one."
  }
}

variable "node_disk_gib" {
  description = "Disk of a node in GiB, for images and container logs."
  type        = number
  default     = 30

  validation {
    condition     = var.node_disk_gib >= 20
    error_message = "node_disk_gib must be at least 20."
  }
}

# Images

variable "images_kept" {
  description = "Tagged images that the registry keeps, newest first. A rollback needs the one before."
  type        = number
  default     = 50

  validation {
    condition     = var.images_kept >= 10
    error_message = "images_kept must be at least 10: a rollback must find its image."
  }
}

# Database

variable "database_instance_class" {
  description = "Instance class of PostgreSQL. A class with 1 GiB has too few connections for the autoscaler's maximum."
  type        = string
  default     = "db.t4g.medium"

  validation {
    condition     = can(regex("^db\\.[a-z0-9]+\\.[a-z0-9]+$", var.database_instance_class)) && !can(regex("\\.micro$", var.database_instance_class))
    error_message = "database_instance_class must be an RDS instance class such as db.t4g.medium, and not a micro."
  }
}

variable "database_multi_az" {
  description = "A standby in a second zone that has every committed write. Without it a failed zone takes /data and migrations with it until it is back, or until a restore that loses up to five minutes."
  type        = bool
  default     = true
}

variable "database_storage_gib" {
  description = "Storage at creation, gp3, in GiB."
  type        = number
  default     = 50

  validation {
    condition     = var.database_storage_gib >= 20
    error_message = "database_storage_gib must be at least 20."
  }
}

variable "database_storage_max_gib" {
  description = "The size up to which the storage grows by itself, in GiB."
  type        = number
  default     = 500

  validation {
    condition     = var.database_storage_max_gib >= var.database_storage_gib * 1.1
    error_message = "database_storage_max_gib must be at least 1.1 times database_storage_gib: RDS refuses less."
  }
}

variable "database_backup_days" {
  description = "Days for which the database can be restored to any moment."
  type        = number
  default     = 14

  validation {
    condition     = var.database_backup_days >= 1 && var.database_backup_days <= 35
    error_message = "database_backup_days must be between 1 and 35."
  }
}

variable "database_max_connections" {
  description = "`max_connections` of PostgreSQL. docs/capacity.md has the arithmetic: 12 pods and one in a rollout need 93."
  type        = number
  default     = 200

  validation {
    condition     = var.database_max_connections >= 100 && var.database_max_connections <= 5000
    error_message = "database_max_connections must be between 100 and 5000: the autoscaler's maximum needs 93 beside those that are reserved."
  }
}

# Tasks and rate limit

variable "task_store" {
  description = "Where accepted tasks are kept: `elasticache` (Valkey with durability `sync`) or `memorydb`. Both write to a log in several zones before they answer. An ElastiCache without durability is refused, because it loses tasks with its node."
  type        = string
  default     = "elasticache"

  validation {
    condition     = contains(["elasticache", "memorydb"], var.task_store)
    error_message = "task_store must be elasticache or memorydb."
  }
}

variable "task_store_node_type" {
  description = "Node type of the task store: `cache.…` for ElastiCache, of the families that have durability; `db.…` for MemoryDB."
  type        = string
  default     = "cache.m7g.large"

  validation {
    condition = (
      var.task_store == "elasticache"
      ? can(regex("^cache\\.(r[678]g|m[678]g|c[78]gn)\\.[a-z0-9]+$", var.task_store_node_type))
      : can(regex("^db\\.[a-z0-9]+\\.[a-z0-9]+$", var.task_store_node_type))
    )
    error_message = "task_store_node_type must be cache.r6g to r8g, m6g to m8g, c7gn or c8gn for elasticache (other families have no durability), and db.… for memorydb."
  }
}

variable "task_store_replicas" {
  description = "Replicas of the task store. With none (MemoryDB only) no task is lost either, but a failed node takes /tasks with it for minutes."
  type        = number
  default     = 1

  validation {
    condition     = var.task_store_replicas >= (var.task_store == "elasticache" ? 1 : 0) && var.task_store_replicas <= 5
    error_message = "task_store_replicas must be between 1 and 5; MemoryDB may have 0. Durability of ElastiCache requires one."
  }
}

variable "task_store_snapshot_days" {
  description = "Days for which daily snapshots of the task store are kept."
  type        = number
  default     = 7

  validation {
    condition     = var.task_store_snapshot_days >= 1 && var.task_store_snapshot_days <= 35
    error_message = "task_store_snapshot_days must be between 1 and 35."
  }
}

variable "secrets_version" {
  description = "Raise it by one to replace the passwords of the database user and the task store."
  type        = number
  default     = 1

  validation {
    condition     = var.secrets_version >= 1 && floor(var.secrets_version) == var.secrets_version
    error_message = "secrets_version must be a whole number of at least 1."
  }
}

# Clients

variable "domain_name" {
  description = "Host name of the service, such as tally.example.com. Null: no certificate, and clients send plain HTTP."
  type        = string
  default     = null

  validation {
    condition     = var.domain_name == null ? true : can(regex("^([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)+[a-z]{2,}$", var.domain_name))
    error_message = "domain_name must be a host name such as tally.example.com."
  }
}

variable "hosted_zone_name" {
  description = "Public hosted zone in Route 53 that domain_name is in. It must exist."
  type        = string
  default     = null

  validation {
    condition     = (var.hosted_zone_name == null) == (var.domain_name == null)
    error_message = "hosted_zone_name and domain_name must be set together."
  }

  validation {
    condition     = var.hosted_zone_name == null || var.domain_name == null ? true : var.domain_name == var.hosted_zone_name || endswith(var.domain_name, ".${var.hosted_zone_name}")
    error_message = "domain_name must be in hosted_zone_name."
  }
}

variable "shutdown" {
  description = "How a pod stops, in seconds, as k8s/base has it: the load balancer must not close a connection earlier. A test compares both."
  type = object({
    pre_stop         = number
    drain_max        = number
    shutdown_timeout = number
    close_timeout    = number
    grace_period     = number
  })
  default = {
    pre_stop         = 5
    drain_max        = 20
    shutdown_timeout = 30
    close_timeout    = 5
    grace_period     = 70
  }

  validation {
    condition     = var.shutdown.pre_stop + var.shutdown.drain_max + var.shutdown.shutdown_timeout + var.shutdown.close_timeout < var.shutdown.grace_period
    error_message = "shutdown.grace_period must be above the sum of the others: Kubernetes would kill a pod that still responds."
  }
}

# Operation

variable "log_retention_days" {
  description = "Days for which CloudWatch keeps logs."
  type        = number
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be a number that CloudWatch accepts: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, ..."
  }
}

variable "monthly_budget_usd" {
  description = "Budget of the AWS account per month in USD: mail at 80 % spent and at 100 % forecast. docs/cost.md has the estimates."
  type        = number

  validation {
    condition     = var.monthly_budget_usd > 0
    error_message = "monthly_budget_usd must be above 0."
  }
}

variable "budget_emails" {
  description = "Addresses that the budget notifies."
  type        = list(string)

  validation {
    condition     = length(var.budget_emails) > 0 && length(var.budget_emails) <= 10 && alltrue([for address in var.budget_emails : can(regex("^[^@ ]+@[^@ ]+\\.[^@ ]+$", address))])
    error_message = "budget_emails must be 1 to 10 mail addresses."
  }
}
