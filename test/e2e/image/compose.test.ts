import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { runCommand } from '../../support/command.ts'
import { freePort } from '../../support/free-ports.ts'
import { root } from '../../support/root.ts'
import { until } from '../../support/until.ts'
import { type Engine, findEngine } from './engine.ts'

// Runs the platform of compose.yaml with the documented commands: make up, make load, make roll, make down. Pulls its
// images; if that fails, makes stand-ins from this machine's programs under the same names. Takes minutes, so it is not
// part of .ci/run: `make compose-test`, each night.
setDefaultTimeout(600_000)

const rolledVersion = '9.9.9-rolled'
const project = `tally-compose-test-${crypto.randomUUID().slice(0, 8)}`

/** The Compose program that `make up` finds; in CI (`CI=true`) it is required. */
async function hasCompose(): Promise<boolean> {
  const { exitCode, output } = await runCommand(['deploy/docker/compose.sh', 'version'], {
    cwd: root,
    env: process.env,
  })
  if (exitCode === 0) return true
  if (process.env.CI === 'true') throw new Error(output)
  console.warn(`${output.trim()}\nThe test of the platform is left out.`)
  return false
}

const engine = await findEngine()
const canRun = engine !== undefined && (await hasCompose())

describe.skipIf(!canRun)('the platform in containers', () => {
  const { run, try: attempt } = engine as Engine
  let env: Record<string, string | undefined> = {}
  let url = ''
  let volumesBefore: readonly string[] = []

  const make = async (...words: string[]): Promise<string> => {
    const { exitCode, output } = await runCommand(['make', '--no-print-directory', ...words], {
      cwd: root,
      env,
    })
    if (exitCode !== 0) throw new Error(`make ${words.join(' ')} ended with ${exitCode}:\n${output}`)
    return output
  }

  /** Anonymous volumes have names of 64 hexadecimal digits. */
  const listAnonymousVolumes = async (): Promise<string[]> =>
    (await run('volume', 'ls', '--quiet')).split('\n').filter((name) => /^[0-9a-f]{64}$/.test(name))

  const listContainers = async (): Promise<string[]> =>
    (await run('ps', '--all', '--quiet', '--filter', `label=com.docker.compose.project=${project}`))
      .split('\n')
      .filter(Boolean)

  const getVersion = async (): Promise<string> => {
    const response = await fetch(`${url}/version`, { headers: { connection: 'close' } })
    return ((await response.json()) as { version: string }).version
  }

  beforeAll(async () => {
    const names = ['PORT', 'BALANCER_STATS_PORT', 'PROMETHEUS_PORT', 'GRAFANA_PORT'] as const
    const ports = await Promise.all(names.map(() => freePort()))
    env = {
      ...process.env,
      COMPOSE_PROJECT_NAME: project,
      PUBLISH: '127.0.0.1',
      ...Object.fromEntries(names.map((name, i) => [name, String(ports[i])])),
    }
    url = `http://127.0.0.1:${env.PORT}`
    env.SERVICE_URL = url
    const compose = Bun.YAML.parse(await Bun.file(`${root}/compose.yaml`).text()) as {
      services: Record<string, { image: string }>
    }
    const balancer = compose.services.balancer?.image ?? ''
    if ((await attempt('pull', '--quiet', balancer)).exitCode !== 0) {
      const { exitCode, output } = await runCommand(['deploy/docker/stand-ins.sh'], { cwd: root, env })
      if (exitCode !== 0) throw new Error(output)
      env.BASE = 'tally-base:local'
    }
    volumesBefore = await listAnonymousVolumes()
  })

  afterAll(async () => {
    await runCommand(['deploy/docker/compose.sh', '--profile', 'platform', 'down', '--volumes'], {
      cwd: root,
      env,
    })
  })

  test('make up builds and starts every service', async () => {
    // Removes what an earlier build has left.
    await attempt('rmi', '--force', 'localhost/tally:dev')
    await make('up')
    expect((await fetch(`${url}/ready`)).status).toBe(200)
    const states = await run(
      ...[
        'ps',
        '--filter',
        `label=com.docker.compose.project=${project}`,
        '--format',
        '{{.Names}} {{.Status}}',
      ],
    )
    for (const service of ['api-1', 'api-2', 'api-3', 'worker', 'postgres', 'redis'])
      expect(states).toMatch(new RegExp(`${service}-1 .*\\(healthy\\)`))
    for (const service of ['balancer', 'prometheus', 'grafana'])
      expect(states).toMatch(new RegExp(`${service}-1 Up`))
  })

  test('its worker runs the tasks of its instances', async () => {
    const response = await fetch(`${url}/tasks`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ payload: { numbers: [1, 2, 3], text: 'One. Two.' } }),
    })
    expect(response.status).toBe(201)
    const { task_id: id } = (await response.json()) as { task_id: string }
    await until(async () => {
      const { task } = (await (await fetch(`${url}/tasks/${id}`)).json()) as { task: { status: string } }
      return task.status === 'completed'
    })
  })

  test('its Prometheus scrapes every instance and the worker', async () => {
    const scraped = await until(
      async () => {
        const query = `http://127.0.0.1:${env.PROMETHEUS_PORT}/api/v1/query?query=up==1`
        // Refused until Prometheus listens.
        const response = await fetch(query).catch(() => undefined)
        const { data } = ((await response?.json()) ?? {}) as {
          data?: { result: { metric: { pod?: string } }[] }
        }
        const pods = data?.result.flatMap(({ metric }) => metric.pod ?? []).sort()
        return pods !== undefined && pods.length >= 4 ? pods : undefined
      },
      { what: 'Prometheus to scrape four programs', timeoutMs: 120_000 },
    )
    expect(scraped).toEqual(['api-1', 'api-2', 'api-3', 'worker'])
  })

  test('make roll replaces every instance while make load loses and refuses nothing', async () => {
    let isRolling = true
    const roll = make('roll', `VERSION=${rolledVersion}`).finally(() => {
      isRolling = false
    })
    // Its failure is the failure of this test, below.
    roll.catch(() => {})
    let runs = 0
    do {
      // Ends with a nonzero exit code if anything was lost or refused.
      await make('load', 'N_REQUESTS=3000')
      runs++
    } while (isRolling)
    await roll
    expect(runs).toBeGreaterThan(0)
    const versions = new Set<string>()
    for (let i = 0; i < 12; i++) versions.add(await getVersion())
    expect([...versions]).toEqual([rolledVersion])
  })

  test('make down leaves no container and no anonymous volume, and make up then finds the data', async () => {
    const created = await fetch(`${url}/data`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"kept":true}',
    })
    const path = created.headers.get('location')
    expect(created.status).toBe(201)
    await make('down')
    expect(await listContainers()).toEqual([])
    expect((await listAnonymousVolumes()).filter((name) => !volumesBefore.includes(name))).toEqual([])
    await make('up')
    expect(await (await fetch(`${url}${path}`)).json()).toMatchObject({ kept: true })
    await make('down')
    expect(await listContainers()).toEqual([])
    expect((await listAnonymousVolumes()).filter((name) => !volumesBefore.includes(name))).toEqual([])
  })
})
