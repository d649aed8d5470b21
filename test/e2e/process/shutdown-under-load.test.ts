import { describe, expect, test } from 'bun:test'
import {
  type Balancer,
  type ClientKind,
  clientKinds,
  createBalancer,
  type Fates,
  runClients,
} from '../../support/load-clients.ts'
import { type Service, startService } from '../../support/service.ts'
import { until } from '../../support/until.ts'

/** A short version of a platform's window: this balancer needs some 150 ms. */
const drainTimes = { DRAIN_MIN: '500ms', DRAIN_QUIET: '2s', DRAIN_MAX: '8s', SHUTDOWN_TIMEOUT: '10s' }

/** One shutdown under load, from the first request until the process is gone. */
async function shutDownUnderLoad(
  kinds: readonly ClientKind[],
  start: () => Promise<Service>,
  newBalancer = createBalancer,
): Promise<Fates & { exitCode: number; service: Service }> {
  await using service = await start()
  const fates: Fates = { answered: 0, answeredWhileDraining: 0, refused: 0, cutWhileSending: 0, lost: [] }
  const balancer = newBalancer(service.port)
  const clients = Promise.all(kinds.map((kind) => runClients(kind, service.port, balancer, fates)))
  const allAtWork = kinds.reduce((sum, kind) => sum + kind.clients, 0)
  await until(() => fates.answered >= 2 * allAtWork)
  service.signal('SIGTERM')
  await balancer.watch()
  await clients
  return { ...fates, exitCode: await service.exited, service }
}

async function repeat(
  times: number,
  ...[kinds, start, newBalancer]: Parameters<typeof shutDownUnderLoad>
): Promise<Awaited<ReturnType<typeof shutDownUnderLoad>>[]> {
  return await Promise.all(Array.from({ length: times }, () => shutDownUnderLoad(kinds, start, newBalancer)))
}

const startTally = () => startService({ env: { ...drainTimes, DEBUG_ROUTES: 'true' } })

/** All kinds at once, a few clients of each. */
const together = clientKinds.map((kind) => ({ ...kind, clients: Math.ceil(kind.clients / 6) }))

/** 50 shutdowns in all: 7 of each kind and 8 of all together. */
const runs: readonly [name: string, times: number, kinds: readonly ClientKind[]][] = [
  ...clientKinds.map((kind): [string, number, ClientKind[]] => [kind.name, 7, [kind]]),
  ['all of them together', 8, together],
]

describe('a shutdown under load loses no request and exits 0:', () => {
  test.each(runs)(
    '%s, %d shutdowns',
    async (_name, times, kinds) => {
      const results = await repeat(times, kinds, startTally)

      expect(results.flatMap(({ lost }) => lost)).toEqual([])
      expect(results.map(({ exitCode }) => exitCode)).toEqual(Array(times).fill(0))
      for (const { answered, answeredWhileDraining, cutWhileSending, service } of results) {
        expect(cutWhileSending).toBe(0)
        expect(answeredWhileDraining).toBeGreaterThan(0)

        // The log is complete to its last line, and its count equals the clients' count.
        const paths = new Set(kinds.map(({ path }) => path))
        const logged = service.log.lines.filter(
          ({ msg, route }) => msg === 'request' && paths.has(String(route)),
        )
        expect(logged).toHaveLength(answered)
        expect(service.log.lines.at(-1)).toMatchObject({ msg: 'stopped', exit_code: 0, cut: 0 })
      }
    },
    30_000,
  )
})

/** A process of another user than root has none anyway. */
const withoutCapabilities =
  process.getuid?.() === 0
    ? ['setpriv', '--bounding-set=-all', '--inh-caps=-all', '--no-new-privs', '--']
    : []

test.each([
  ['a service', []],
  ['a service without capabilities, as in a container,', withoutCapabilities],
])(
  'clients that connect to %s until it refuses them lose nothing in the accept queue',
  async (_, by) => {
    const impatient = {
      ...clientKinds.find(({ reuse }) => !reuse)!,
      clients: 24,
      pauseMs: () => 0,
    }
    const start = () => startService({ by, env: { DRAIN_MIN: '100ms', DRAIN_MAX: '300ms' } })
    const blind = (): Balancer => ({ admits: true, draining: false, watch: async () => {} })
    const results = await repeat(4, [impatient], start, blind)

    expect(results.flatMap(({ lost }) => lost)).toEqual([])
    expect(results.map(({ refused }) => refused)).toEqual(Array(4).fill(24))
    expect(results.map(({ exitCode }) => exitCode)).toEqual(Array(4).fill(0))
  },
  30_000,
)

test('the same clients do lose requests when a service closes at once: the tests above can fail', async () => {
  const keptAlive = { ...clientKinds[0]!, clients: 40, pauseMs: () => Math.random() * 2 }
  const results = await repeat(4, [keptAlive], () =>
    startService({ program: 'test/support/stop-at-once.ts' }),
  )

  expect(results.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0, 0])
  expect(results.flatMap(({ lost }) => lost).length).toBeGreaterThan(0)
}, 120_000)
