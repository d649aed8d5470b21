import { SignJWT } from 'jose'
import { hashKey } from '../src/http/middleware/api-keys.ts'
import { moveToLoadCore } from './cores.ts'
import { describeMachine } from './machine.ts'
import { measure, type Plan } from './rounds.ts'
import { summarize } from './summary.ts'
import { table } from './table.ts'
import { type Target, tally } from './targets.ts'
import { payloadWorkloads, type Workload } from './workloads.ts'

/**
 * `bun bench/features.ts`: server CPU time that each optional feature adds to a small payload, compared with the same
 * service with all features off. Every request carries the headers of all features, so that only the service differs.
 * TLS is missing because the load generator does not speak it.
 */

const plan: Plan =
  process.env.QUICK === '1'
    ? { rounds: 3, windowMs: 400, warmUpMs: 500 }
    : { rounds: 7, windowMs: 1_000, warmUpMs: 1_000 }

const key = 'tally_benchmark'
const secret = 'the shared secret of a benchmark'
const token = await new SignJWT({ sub: 'benchmark' })
  .setProtectedHeader({ alg: 'HS256' })
  .setExpirationTime('1h')
  .sign(new TextEncoder().encode(secret))
const origin = 'https://app.example'

const keys = (count: number): string =>
  [...Array.from({ length: count - 1 }, (_, i) => `other-${i}`), key]
    .map((one) => `name:${hashKey(one).toHex()}`)
    .join()
const rate = { RATE_LIMIT: '1000000/1s' }
/** Accepts spans and discards them. */
const collector = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => Response.json({}) })
const tracing = (share: string) => ({
  TRACING_ENABLED: 'true',
  OTEL_EXPORTER_OTLP_ENDPOINT: collector.url.href,
  OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
  OTEL_TRACES_SAMPLER_ARG: share,
})
const shed = { SHED_AFTER: '60s' }
const cors = { CORS_ORIGIN: origin }
const proxies = { TRUSTED_PROXIES: '127.0.0.0/8' }

const off = feature('all off', {})
const targets = [
  off,
  feature('shedding', shed),
  feature('API keys, 1', { API_KEYS: keys(1) }),
  feature('API keys, 50', { API_KEYS: keys(50) }),
  feature('token, HS256', { JWT_SECRET: secret }),
  feature('rate limit by address', { ...rate }),
  feature('rate limit behind a trusted proxy', { ...rate, ...proxies }),
  feature('CORS for one origin', { ...cors }),
  feature('tracing, 1 % sampled', tracing('0.01')),
  feature('tracing, all', tracing('1')),
  feature('shedding, a key, its rate, CORS', { ...shed, API_KEYS: keys(1), ...rate, ...cors }),
]

moveToLoadCore()
const progress = (message: string): void => void process.stderr.write(`${message}\n`)
const rows = summarize(await measure(targets, withHeaders(payloadWorkloads()[0]!), plan, progress), off.name)
const { cpu, bun, pinned } = describeMachine()
console.log(table('features: POST /payload, 5 numbers', rows))
console.log(`${plan.rounds} rounds of ${plan.windowMs} ms; Bun ${bun}; ${cpu}; ${pinned ? '' : 'NOT '}pinned`)

/** Checks only the status: the invalid requests that `measure` sends carry no key. */
function feature(name: string, env: Readonly<Record<string, string>>): Target {
  return { ...tally, name, env: { ...tally.env, ...env }, computes: false }
}

function withHeaders(workload: Workload): Workload {
  const text = Buffer.from(workload.request).toString()
  const headers = [
    `X-API-Key: ${key}`,
    `Authorization: Bearer ${token}`,
    `Origin: ${origin}`,
    'X-Forwarded-For: 198.51.100.1',
  ]
  return {
    ...workload,
    request: Buffer.from(text.replace('\r\n\r\n', `\r\n${headers.join('\r\n')}\r\n\r\n`)),
  }
}
