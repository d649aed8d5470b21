terraform {
  # 1.11, for Terraform and for OpenTofu: the S3 backend locks by itself (`use_lockfile`), and write-only arguments keep
  # passwords out of the state.
  required_version = ">= 1.11.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.62"
    }
  }

  # The rest is in backend.hcl, which is made from the outputs of bootstrap/: `terraform init -backend-config=backend.hcl`.
  backend "s3" {
    key          = "tally/terraform.tfstate"
    encrypt      = true
    use_lockfile = true
  }
}

provider "aws" {
  region = var.region

  default_tags {
    tags = merge({ Project = var.name, ManagedBy = "terraform" }, var.tags)
  }
}
