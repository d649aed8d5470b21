import { describe, expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { runCommand } from '../support/command.ts'
import { root } from '../support/root.ts'

const compose = Bun.YAML.parse(await Bun.file(join(root, 'compose.yaml')).text()) as {
  services: Record<
    string,
    {
      image: string
      profiles?: string[]
      volumes?: string[]
      tmpfs?: string[]
      ports?: string[]
      build?: { target: string }
      depends_on?: string[] | Record<string, unknown>
    }
  >
}
const services = Object.entries(compose.services)

/** Compose as a Docker plugin or as a program. Without either, null and a line in the output. */
async function findCompose(): Promise<string[] | null> {
  if (Bun.which('docker') && (await runCommand(['docker', 'compose', 'version'])).exitCode === 0)
    return ['docker', 'compose']
  if (Bun.which('docker-compose')) return ['docker-compose']
  console.warn(
    'Compose is not installed (https://docs.docker.com/compose/install): what it thinks of compose.yaml is skipped',
  )
  return null
}
const program = await findCompose()

describe('compose.yaml', () => {
  test('starts only the service by default', () => {
    expect(services.filter(([, { profiles }]) => profiles === undefined).map(([name]) => name)).toEqual([
      'api',
    ])
  })

  test('the balancer and Grafana start the whole platform, but not the single service', () => {
    const started = new Set<string>()
    const start = (name: string): void => {
      if (started.has(name)) return
      started.add(name)
      const needs = compose.services[name]?.depends_on ?? []
      for (const need of Array.isArray(needs) ? needs : Object.keys(needs)) start(need)
    }
    start('balancer')
    start('grafana')
    const platform = services.filter(([, { profiles }]) => profiles?.includes('platform'))
    expect([...started].sort()).toEqual(platform.map(([name]) => name).sort())
  })

  test('pins the version of every image', () => {
    for (const [name, { image }] of services) {
      if (!image.includes('tally'))
        expect([name, image]).toEqual([name, expect.stringMatching(/:v?\d+\.\d+/)])
    }
  })

  test('names the registry of every image, so that no engine guesses one', () => {
    for (const [name, { image }] of services)
      expect([name, image]).toEqual([
        name,
        expect.stringMatching(/^(docker\.io\/\w+\/|\$\{IMAGE:-localhost\/)/),
      ])
  })

  test('builds every image that it does not pull', () => {
    for (const [name, { image, build }] of services)
      expect([name, build?.target]).toEqual([name, image.includes('tally') ? 'production' : undefined])
  })

  test('publishes nothing but the API beyond the loopback address, and every port can be changed', () => {
    for (const [name, { ports = [] }] of services)
      for (const port of ports) {
        expect([name, port]).toEqual([name, expect.stringMatching(/:\$\{[A-Z_]*PORT:-\d+\}:\d+$/)])
        if (!port.endsWith(':8000'))
          expect([name, port]).toEqual([name, expect.stringMatching(/^127\.0\.0\.1:/)])
      }
  })

  test('has no anonymous volumes: data is in named volumes or in memory', () => {
    const folders = {
      tally: '/data',
      redis: '/data',
      postgres: '/var/lib/postgresql/data',
      prometheus: '/prometheus',
    }
    for (const [name, { image, volumes = [], tmpfs = [] }] of services)
      for (const [program, folder] of Object.entries(folders))
        if (image.includes(program)) {
          const mounted = [...volumes, ...tmpfs].map((mount) =>
            mount.replace(/^[a-z]+:/, '').replace(/:.*/, ''),
          )
          expect([name, mounted]).toEqual([name, expect.arrayContaining([folder])])
        }
  })

  test('mounts memory with options that Docker and Podman know', () => {
    const options = services.flatMap(([, { tmpfs = [] }]) =>
      tmpfs.flatMap((mount) => mount.split(':')[1] ?? []),
    )
    expect(options.length).toBeGreaterThan(1)
    for (const each of options) expect(each).toMatch(/^(mode|size)=\w+(,(mode|size)=\w+)*$/)
  })

  test('mounts only existing files', () => {
    const mounted = services.flatMap(([, { volumes = [] }]) =>
      volumes.flatMap((volume) => (volume.startsWith('./') ? [volume.split(':')[0] ?? ''] : [])),
    )
    expect(mounted.length).toBeGreaterThan(3)
    for (const path of mounted) expect([path, existsSync(join(root, path))]).toEqual([path, true])
  })

  test.skipIf(program === null)('is valid for Compose', async () => {
    const { PATH, HOME } = process.env
    const file = join(root, 'compose.yaml')
    const command = [...(program ?? []), '--file', file, '--profile', 'platform', 'config', '-q']
    expect(await runCommand(command, { env: { PATH, HOME } })).toMatchObject({ exitCode: 0, output: '' })
  })
})
