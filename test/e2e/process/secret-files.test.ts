import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtemp, rename, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SignJWT } from 'jose'
import { noDrainWindow, startService } from '../../support/service.ts'
import { until } from '../../support/until.ts'

let directory = ''
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tally-secret-files-'))
})
afterAll(() => rm(directory, { recursive: true }))

/** Mounts files like a kubelet: a directory for each version, and a link that is replaced atomically. */
async function mount(version: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, contents] of Object.entries(files))
    await Bun.write(join(directory, version, name), contents)
  await symlink(version, join(directory, 'next'))
  await rename(join(directory, 'next'), join(directory, 'data'))
}

const path = (name: string): string => join(directory, 'data', name)

const signToken = (secret: string): Promise<string> =>
  new SignJWT()
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject('client')
    .setExpirationTime('1h')
    .sign(new TextEncoder().encode(secret))

const secrets = (generation: string) => ({
  metrics: `metrics token ${generation}`,
  admin: `admin token ${generation}`,
  jwt: `a shared secret of the generation ${generation}`,
})

/** The files of a generation: each ends with a line break, like an editor writes it. */
const toFiles = (generation: string) =>
  Object.fromEntries(Object.entries(secrets(generation)).map(([name, secret]) => [name, `${secret}\n`]))

test.each([1, 2])(
  'secrets in files are used and followed by %d processes',
  async (processes) => {
    const database = join(directory, `${processes}.db`)
    const first = `first ${processes}`
    const second = `second ${processes}`
    await mount(`v1-${processes}`, { ...toFiles(first), database: `sqlite:${database}\n` })
    await using service = await startService({
      env: {
        ...noDrainWindow,
        WEB_CONCURRENCY: String(processes),
        FILE_WATCH_INTERVAL: '20ms',
        METRICS_TOKEN_FILE: path('metrics'),
        ADMIN_TOKEN_FILE: path('admin'),
        JWT_SECRET_FILE: path('jwt'),
        DATABASE_URL_FILE: path('database'),
      },
    })
    if (processes > 1) await service.log.line('supervising')
    const ask = async (route: string, token: string): Promise<number> => {
      const headers = { authorization: `Bearer ${token}`, connection: 'close' }
      return (await fetch(service.url + route, { headers })).status
    }
    /** The statuses that a scraper, an operator and a client get with the secrets of a generation. */
    const statuses = async (generation: string) => {
      const { metrics, admin, jwt } = secrets(generation)
      return Promise.all([
        ask('/metrics', metrics),
        ask('/admin/log-level', admin),
        ask('/data', await signToken(jwt)),
      ])
    }
    expect(await statuses(first)).toEqual([200, 200, 200])
    expect(await statuses(second)).toEqual([401, 401, 401])
    expect(await Bun.file(database).exists()).toBe(true)

    // Invalid contents change nothing.
    await mount(`v2-${processes}`, { metrics: 'short', admin: '', jwt: 'short' })
    await until(
      () =>
        service.log.lines.filter(({ msg }) => msg === 'secret reload failed, keeping the current one')
          .length >=
        3 * processes,
    )
    expect(await statuses(first)).toEqual([200, 200, 200])

    await mount(`v3-${processes}`, toFiles(second))
    await until(
      () => service.log.lines.filter(({ msg }) => msg === 'secret reloaded').length >= 3 * processes,
    )
    expect(await statuses(second)).toEqual([200, 200, 200])
    // Also the token that was just verified.
    expect(await statuses(first)).toEqual([401, 401, 401])
    expect(service.log.text).not.toMatch(/token (first|second)|shared secret/)
    await service.stop()
  },
  60_000,
)
