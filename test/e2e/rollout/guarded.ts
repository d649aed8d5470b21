import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { hashKey } from '../../../src/http/middleware/api-keys.ts'

/** The settings of an instance on a public network, and what its clients need. */
export interface Guarded {
  readonly env: Readonly<Record<string, string>>
  readonly apiKey: string
}

/** Far above the load: every request is counted against the rate, but none exceeds it. */
const rateLimit = '1000000/1s'

/**
 * Keys, a rate and TLS, with a certificate that openssl makes for this run.
 *
 * @throws Error if openssl fails
 */
export async function guard(directory: string): Promise<Guarded> {
  const cert = join(directory, 'tls.crt')
  const key = join(directory, 'tls.key')
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  const made = Bun.spawnSync([
    ...['openssl', 'req', '-x509', ...kind, '-subj', '/CN=tally', '-keyout', key, '-out', cert],
  ])
  if (!made.success) throw new Error(`openssl made no certificate: ${made.stderr}`)
  const apiKey = randomBytes(32).toString('base64url')
  return {
    apiKey,
    env: {
      TLS_CERT: cert,
      TLS_KEY: key,
      API_KEYS: `rollout:${hashKey(apiKey).toHex()}`,
      RATE_LIMIT: rateLimit,
    },
  }
}
