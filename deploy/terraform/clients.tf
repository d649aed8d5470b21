# Between clients and pods: host name, certificate, and the numbers of the load balancer, which its controller creates
# from the Ingress of tools/aws-overlay.ts.

locals {
  # A pod that stops leaves the target group at once, still serves requests that arrive late, and finishes what it has.
  # Until its last response the load balancer must keep their connections. Shorter aborts requests; longer keeps a target
  # that no longer exists.
  deregistration_delay_seconds = (
    var.shutdown.pre_stop + var.shutdown.drain_max + var.shutdown.shutdown_timeout + var.shutdown.close_timeout
  )

  # Below the service's IDLE_TIMEOUT (120 s): the balancer closes an idle connection first, so it never sends a request
  # on one that the service is just closing.
  load_balancer_idle_timeout_seconds = 60
}

data "aws_route53_zone" "main" {
  count = var.domain_name == null ? 0 : 1

  name         = var.hosted_zone_name
  private_zone = false
}

resource "aws_acm_certificate" "main" {
  count = var.domain_name == null ? 0 : 1

  domain_name       = var.domain_name
  validation_method = "DNS"

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_route53_record" "certificate" {
  for_each = {
    for option in flatten(aws_acm_certificate.main[*].domain_validation_options) : option.domain_name => option
  }

  zone_id         = data.aws_route53_zone.main[0].zone_id
  name            = each.value.resource_record_name
  type            = each.value.resource_record_type
  records         = [each.value.resource_record_value]
  ttl             = 300
  allow_overwrite = true
}

resource "aws_acm_certificate_validation" "main" {
  count = var.domain_name == null ? 0 : 1

  certificate_arn         = aws_acm_certificate.main[0].arn
  validation_record_fqdns = [for record in aws_route53_record.certificate : record.fqdn]
}
