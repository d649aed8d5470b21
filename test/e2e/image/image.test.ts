import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { until } from '../../support/until.ts'
import { failuresOf, runConformance } from '../conformance/run.ts'
import { type Engine, findEngine, script } from './engine.ts'
import { startTraffic } from './traffic.ts'

// The shipped image, except for its base, which is made from this machine's Bun, so that nothing is pulled. Runs like a
// careful platform runs it: read-only, without capabilities, without privilege escalation.

const base = 'tally-base:local'
const image = 'tally:image-test'
const container = `tally-image-test-${crypto.randomUUID().slice(0, 8)}`
const worker = `${container}-worker`
const documented = `${container}-documented`
const version = '1.2.3-image-test'

/** What the image may add to its base, in bytes: what each node fetches for each release. */
const ownBytesMax = 10_000_000
/** What the base may have: Bun and the libraries that it needs. A node fetches it once. */
const baseBytesMax = 150_000_000
/** DRAIN_MAX 20 s + SHUTDOWN_TIMEOUT 30 s + 5 s to close, and a margin. */
const graceSeconds = 60
const buildMsMax = 300_000
const startMsMax = 30_000

/** Podman asks for larger limits than a machine may allow, and mounts its own /tmp. */
const podmanOptions = [
  ...['--ulimit', 'nofile=1024:1024', '--ulimit', 'nproc=4096:4096'],
  '--read-only-tmpfs=false',
]

const engine = await findEngine()

describe.skipIf(engine === undefined)('the image', () => {
  const { run, try: attempt, isPodman } = engine as Engine
  let url = ''

  beforeAll(async () => {
    await script('deploy/docker/base.sh', [base])
    await script('deploy/docker/build.sh', [], { BASE: base, IMAGE: image, VERSION: version })
    await start(container, ['--publish', '127.0.0.1::8000', '--stop-timeout', `${graceSeconds}`], [])
    url = `http://${await run('port', container, '8000/tcp')}`
    await untilHealthy(container, await healthCheck())
  }, buildMsMax)

  afterAll(async () => {
    await attempt('rm', '--force', '--volumes', container, worker, documented)
    await attempt('volume', 'rm', documented)
  })

  /** Starts a container like a careful platform. */
  async function start(name: string, options: string[], command: string[]): Promise<void> {
    await run(
      ...['run', '--detach', '--name', name, ...options],
      ...['--read-only', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges'],
      ...(isPodman ? podmanOptions : []),
      ...[image, ...command],
    )
  }

  async function untilHealthy(name: string, check: string[]): Promise<void> {
    const isHealthy = async () => (await attempt('exec', name, ...check)).exitCode === 0
    try {
      await until(isHealthy, { timeoutMs: startMsMax, intervalMs: 50 })
    } catch (error) {
      throw new Error(`not healthy: ${await run('logs', name)}`, { cause: error })
    }
  }

  /** The command of the image's health check, as the engine would run it. */
  async function healthCheck(): Promise<string[]> {
    const { Config, Healthcheck } = await inspectImage()
    const [kind, ...command] = (Healthcheck ?? Config.Healthcheck)?.Test ?? []
    expect(kind).toBe('CMD')
    return command
  }

  // Podman and Docker show the health check in different places.
  interface Inspected {
    readonly Config: {
      readonly User: string
      readonly Labels: Record<string, string>
      readonly Entrypoint: string[]
      readonly Cmd: string[]
      readonly StopSignal: string
      readonly Healthcheck?: { readonly Test: string[] }
    }
    readonly Healthcheck?: { readonly Test: string[] }
    readonly Size: number
  }

  async function inspectImage(name = image): Promise<Inspected> {
    return JSON.parse(await run('image', 'inspect', name))[0]
  }

  test('has labels for its title, license, version, revision and date', async () => {
    const { Labels } = (await inspectImage()).Config
    expect(Labels).toMatchObject({
      'org.opencontainers.image.title': 'Tally',
      'org.opencontainers.image.licenses': 'MIT',
      'org.opencontainers.image.version': version,
      'org.opencontainers.image.revision': expect.stringMatching(/^[0-9a-f]{40}$/),
      'org.opencontainers.image.created': expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
    })
  })

  test('runs as a user that is a number above 10000', async () => {
    const { User } = (await inspectImage()).Config
    expect(User).toMatch(/^\d+:\d+$/)
    expect(Number.parseInt(User, 10)).toBeGreaterThan(10_000)
    const inside = await run(
      'exec',
      container,
      'bun',
      '-e',
      'console.log(process.getuid(), process.getgid())',
    )
    expect(inside).toBe(User.replace(':', ' '))
  })

  test(`adds at most ${ownBytesMax / 1e6} MB to its base`, async () => {
    const [own, below] = [await inspectImage(), await inspectImage(base)]
    expect(own.Size - below.Size).toBeLessThanOrEqual(ownBytesMax)
  })

  test(`has a base of at most ${baseBytesMax / 1e6} MB`, async () => {
    expect((await inspectImage(base)).Size).toBeLessThanOrEqual(baseBytesMax)
  })

  test('is PID 1 and stops on SIGTERM', async () => {
    const { Entrypoint, Cmd, StopSignal } = (await inspectImage()).Config
    const commandLine = await run(
      ...['exec', container, 'bun', '-e', "console.write(await Bun.file('/proc/1/cmdline').text())"],
    )
    expect(commandLine.split('\0').filter(Boolean)).toEqual([...Entrypoint, ...Cmd])
    expect(StopSignal).toBe('SIGTERM')
  })

  test('has a health check that passes here and fails on a closed port', async () => {
    const command = await healthCheck()
    expect((await attempt('exec', container, ...command)).exitCode).toBe(0)
    expect((await attempt('exec', '--env', 'PORT=1', container, ...command)).exitCode).toBe(1)
  })

  test('can write to its volume and nowhere else', async () => {
    const write = (path: string) =>
      attempt('exec', container, 'bun', '-e', `require('node:fs').writeFileSync('${path}', '')`)
    expect((await write('/data/written')).exitCode).toBe(0)
    for (const path of ['/app/written', '/written', '/tmp/written'])
      expect((await write(path)).exitCode).not.toBe(0)
  })

  test('reports at /version what it was built from', async () => {
    const { Labels } = (await inspectImage()).Config
    const response = await fetch(`${url}/version`)
    expect(await response.json()).toMatchObject({
      version,
      revision: Labels['org.opencontainers.image.revision'],
    })
  })

  test('runs in production mode by default, and warns if its stop timeout is unknown', async () => {
    const lines = (await run('logs', container)).split('\n').map((line) => JSON.parse(line))
    expect(lines.find(({ msg }) => msg === 'listening')).toMatchObject({ environment: 'production' })
    expect(lines.filter(({ level }) => level === 'warn')).toEqual(
      expect.arrayContaining([
        expect.objectContaining({
          msg: expect.stringContaining('stop timeout of this container is unknown'),
        }),
      ]),
    )
  })

  /** The arguments of the `docker run` of docs/docker.md, with names for this test. */
  async function readDocumentedRun(): Promise<string[]> {
    const text = await Bun.file(join(import.meta.dir, '../../../docs/docker.md')).text()
    const [, command = ''] = /<!-- run -->\n```sh\ndocker (run [^`]*)```/.exec(text) ?? []
    const words = command.replaceAll('\\\n', ' ').trim().split(/\s+/)
    const changes: Record<string, string> = {
      tally: documented,
      'tally-data:/data': `${documented}:/data`,
      '127.0.0.1:8000:8000': '127.0.0.1::8000',
      'API_KEYS="$API_KEYS"': 'API_KEYS=',
      'tally:dev': image,
    }
    expect(words).toEqual(expect.arrayContaining([...Object.keys(changes), '--stop-timeout']))
    const changed = words.map((word) => changes[word] ?? word)
    return isPodman ? [...changed.slice(0, -1), ...podmanOptions, ...changed.slice(-1)] : changed
  }

  test('runs by the documented command without a warning about its stop timeout, and keeps its data in the volume', async () => {
    const command = await readDocumentedRun()
    const startDocumented = async (): Promise<string> => {
      await run(...command)
      await untilHealthy(documented, await healthCheck())
      return `http://${await run('port', documented, '8000/tcp')}`
    }
    const first = await startDocumented()
    expect(await run('logs', documented)).not.toContain('stop timeout')
    const created = await fetch(`${first}/data`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"kept":true}',
    })
    expect(created.status).toBe(201)
    await run('rm', '--force', documented)
    const second = await startDocumented()
    const kept = await fetch(`${second}${created.headers.get('location')}`)
    expect(await kept.json()).toMatchObject({ kept: true })
  }, 120_000)

  // Includes the API page and large bodies, whose files and threads must be in the bundle.
  test('keeps the contract of the service', async () => {
    const result = await runConformance(url)
    expect(failuresOf(result)).toEqual([])
    console.log(`conformance: ${result.passed} passed, ${result.skipped} left out`)
  })

  test('runs as a worker with another command, with the same health check, and stops as cleanly', async () => {
    await start(worker, [], ['/app/worker.js'])
    await untilHealthy(worker, await healthCheck())
    await run('stop', '--time', `${graceSeconds}`, worker)
    expect(await run('inspect', '--format', '{{.State.ExitCode}}', worker)).toBe('0')
  }, 90_000)

  // Last, because it ends the container.
  test('stops under load without losing a request, and exits 0', async () => {
    const traffic = startTraffic(Number(new URL(url).port), { keptAlive: 8, fresh: 4, platformLagMs: 2_000 })
    await Bun.sleep(1_000)
    // The grace period of the container.
    await run('stop', container)
    await traffic.ended

    const { answered, answeredWhileDraining, refused, lost } = traffic.tally
    console.log(
      `answered ${answered}, while draining ${answeredWhileDraining}, refused before sending ${refused}`,
    )
    expect(lost).toEqual([])
    expect(answered).toBeGreaterThan(500)
    expect(answeredWhileDraining).toBeGreaterThan(0)
    expect(await run('inspect', '--format', '{{.State.ExitCode}}', container)).toBe('0')

    const stopped = (await run('logs', container))
      .split('\n')
      .map((line) => JSON.parse(line))
      .find(({ msg }) => msg === 'stopped')
    expect(stopped).toMatchObject({ reason: 'SIGTERM', exit_code: 0, cut: 0 })
  }, 90_000)
})
