# Run by tools/terraform-check.sh. The rules for AWS are a plugin that is not in every registry; the schema of the provider
# is checked by tools/terraform-check.ts.
plugin "terraform" {
  enabled = true
  preset  = "all"
}

# Files are by subject, and every name that is defined is documented in README.md.
rule "terraform_standard_module_structure" {
  enabled = false
}
