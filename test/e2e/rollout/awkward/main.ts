/**
 * Awkward clients beside an ordinary load, through the shipped proxies: legal but rare requests, aborted or slow
 * bodies, early rejections. The load must lose nothing.
 *
 *     bun test/e2e/rollout/awkward/main.ts             50,000 requests through each proxy
 *     N_REQUESTS=6000 bun test/e2e/rollout/awkward/main.ts
 *     PROXIES=haproxy bun test/e2e/rollout/awkward/main.ts
 *
 * Needs haproxy, nginx, openssl and k6. A control without the protections must lose something, otherwise the test is
 * blind.
 *
 * Exit codes: 0 if nothing was lost and the control lost something; 2 if not; 1 if it could not run.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { findK6 } from '../../../../load/k6.ts'
import { startNginx } from '../../../deploy/nginx.ts'
import { freePorts } from '../../../support/free-ports.ts'
import { startService } from '../../../support/service.ts'
import { startBalancer } from '../balancer.ts'
import { startLoad } from '../load.ts'
import { type AwkwardCounts, runAwkwardClients } from './clients.ts'

/** How clients are protected from each other: as shipped, or not at all for a control. */
const setups = {
  haproxy: { proxy: 'haproxy', isProtected: true },
  nginx: { proxy: 'nginx', isProtected: true },
  control: { proxy: 'haproxy', isProtected: false },
} as const
type Setup = keyof typeof setups

/** Requests in flight of the load: enough that the connections to the instances are always shared. */
const concurrency = 16
/** Between two connections of a kind of awkward client, in ms. */
const pauseMs = 20

interface Outcome {
  readonly setup: Setup
  readonly sent: number
  readonly answered: number
  readonly refused: number
  readonly lost: number
  readonly notAnswered: unknown
  readonly awkward: AwkwardCounts
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130))
process.exit(
  await main().catch((error: unknown) => {
    console.error(error)
    return 1
  }),
)

async function main(): Promise<number> {
  const requests = Number(process.env.N_REQUESTS ?? 50_000)
  const chosen = (process.env.PROXIES ?? Object.keys(setups).join()).split(',').filter(isSetup)
  const directory = resolve(process.env.REPORT_DIR ?? 'reports/awkward')
  const missing = ['haproxy', 'nginx', 'openssl'].filter((name) => Bun.which(name) === null)
  if (findK6(process.env, resolve(import.meta.dir, '../../../..')) === null) missing.push('k6')
  if (missing.length > 0) {
    console.error(`Not installed: ${missing.join(', ')}. On Debian: apt-get install haproxy nginx openssl`)
    return 1
  }
  await rm(directory, { recursive: true, force: true })
  await mkdir(directory, { recursive: true })
  const outcomes: Outcome[] = []
  for (const setup of chosen) {
    const outcome = await runBeside(setup, requests, join(directory, setup))
    outcomes.push(outcome)
    console.log(describe(outcome))
  }
  await Bun.write(join(directory, 'awkward.json'), `${JSON.stringify(outcomes, null, 2)}\n`)
  const problems = outcomes.flatMap(findProblems)
  for (const problem of problems) console.error(`PROBLEM: ${problem}`)
  return problems.length === 0 ? 0 : 2
}

function isSetup(name: string): name is Setup {
  return Object.hasOwn(setups, name)
}

/** Runs two instances behind a proxy, the load, and the awkward clients until the load is over. */
async function runBeside(setup: Setup, requests: number, reportDirectory: string): Promise<Outcome> {
  const { proxy, isProtected } = setups[setup]
  const directory = await mkdtemp(join(tmpdir(), 'awkward-'))
  await using stack = new AsyncDisposableStack()
  stack.defer(() => rm(directory, { recursive: true, force: true, maxRetries: 5 }))
  const program = isProtected ? 'src/main.ts' : 'test/e2e/rollout/controls/keep-connections.ts'
  const start = async () => stack.use(await startService({ program, env: { ACCESS_LOG: 'false' } }))
  const ports = [(await start()).port]
  if (proxy === 'haproxy') ports.push((await start()).port)
  const port =
    proxy === 'haproxy'
      ? await startHaproxy(stack, directory, ports, isProtected)
      : stack.use(await startNginx(ports[0] as number, { tls: false })).port

  const load = await startLoad('load', reportDirectory, {
    SERVICE_URL: `http://127.0.0.1:${port}`,
    N_REQUESTS: String(requests),
    CONCURRENCY: String(concurrency),
    CONNECTION: 'mixed',
  })
  await load.begun
  const endAwkward = runAwkwardClients(port, pauseMs)
  const { report } = await load.end()
  const awkward = await endAwkward()
  const { sent, answered, refused, lost } = report.summary
  return { setup, sent, answered, refused, lost, notAnswered: report.notAnswered, awkward }
}

/** @returns its port, once both instances are up */
async function startHaproxy(
  stack: AsyncDisposableStack,
  directory: string,
  ports: readonly number[],
  isProtected: boolean,
): Promise<number> {
  const [port = 0, statsPort = 0, ...unused] = freePorts(7 - ports.length)
  const balancer = await startBalancer({
    directory,
    port,
    statsPort,
    slotPorts: [...ports, ...unused],
    retries: 2,
    variant: isProtected ? undefined : 'shared',
  })
  stack.defer(balancer.stop)
  await Promise.all([balancer.untilUp('api-1'), balancer.untilUp('api-2')])
  return port
}

function findProblems({ setup, sent, lost, refused }: Outcome): string[] {
  if (!setups[setup].isProtected)
    return lost > 0 ? [] : ['the control lost nothing: this check cannot see a loss']
  const problems = [
    ...(lost > 0 ? [`${lost} lost`] : []),
    ...(refused > 0 ? [`${refused} refused`] : []),
    ...(sent === 0 ? ['nothing was sent'] : []),
  ]
  return problems.map((problem) => `${setup}: ${problem} of ${sent}`)
}

function describe({ setup, sent, answered, refused, lost, awkward }: Outcome): string {
  const lines = Object.entries(awkward).map(([name, { connections, statuses }]) => {
    const found = Object.entries(statuses).map(([status, count]) => `${count} × ${status}`)
    return `    ${name.padEnd(42)} ${String(connections).padStart(6)} connections: ${found.join(', ') || 'no response'}`
  })
  return [
    `${setup}: ${sent} sent, ${answered} answered, ${refused} refused, ${lost} lost, beside`,
    ...lines,
  ].join('\n')
}
