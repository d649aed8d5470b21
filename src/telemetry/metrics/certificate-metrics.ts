import type { Registry } from 'prom-client'
import { Gauge } from './prom-client.ts'

/**
 * When the certificate of the application port expires, and with it the first one of its chain.
 *
 * @param expiresAt in ms since 1970; read at each scrape, because the certificate may be replaced
 */
export function createCertificateMetrics(registry: Registry, expiresAt: () => number): void {
  new Gauge({
    name: 'tls_certificate_expiry_timestamp_seconds',
    help: 'When the certificate of TLS_CERT or one of its chain expires, in seconds since 1970; absent without TLS',
    aggregator: 'min',
    registers: [registry],
    collect() {
      this.set(expiresAt() / 1_000)
    },
  })
}
