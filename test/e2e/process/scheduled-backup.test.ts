import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { runCommand, runSuccessfully } from '../../support/command.ts'
import { createPostgresDatabase, havePostgres } from '../../support/postgres.ts'
import { hasProgram } from '../../support/programs.ts'
import { root } from '../../support/root.ts'
import { noDrainWindow, startService } from '../../support/service.ts'
import { until } from '../../support/until.ts'
import { DocumentLoad, everyDocument } from './document-load.ts'
import { Ledger } from './ledger.ts'

const timeoutMs = 120_000
const script = join(root, 'deploy/backup/backup.sh')
const path = `${dirname(process.execPath)}:${process.env.PATH}`

const cronJobSchema = z.object({
  spec: z.object({
    jobTemplate: z.object({
      spec: z.object({
        template: z.object({
          spec: z.object({
            containers: z.tuple([
              z.object({
                command: z.array(z.string()),
                env: z.array(z.object({ name: z.string(), value: z.string().optional() }).loose()),
              }),
            ]),
          }),
        }),
      }),
    }),
  }),
})

let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tally-scheduled-'))
})
afterAll(() => rm(directory, { recursive: true }))

describe.skipIf(!hasProgram('sh', 'dash'))('a scheduled backup', () => {
  test(
    'of the systemd timer, made under load, is restored with every document and task from before it',
    async () => {
      const unit = await Bun.file(join(root, 'deploy/systemd/tally-backup.service')).text()
      const command = /^ExecStart=(.+)$/m.exec(unit)?.[1]?.split(' ') ?? []
      const variables = Object.fromEntries(
        [...unit.matchAll(/^Environment=(\w+)=(.*)$/gm)].map(([, name, value]) => [name, value]),
      )
      const data = join(directory, 'data')
      const restored = join(directory, 'restored')
      const backups = join(directory, 'sqlite')
      await mkdir(backups)
      await mkdir(restored)
      await drill({
        service: { DATA_DIR: data },
        backUp: () => ({
          command: command.map((word) => (word === '/opt/tally/backup.sh' ? script : word)),
          env: { ...variables, PATH: path, DATA_DIR: data, BACKUP_DIR: backups, KEEP: '2' },
        }),
        backups,
        async restore(backup) {
          await runSuccessfully(['cp', backup, join(restored, 'tally.db')])
          return { DATA_DIR: restored }
        },
      })
    },
    timeoutMs,
  )

  test.skipIf(!havePostgres())(
    'of the CronJob, made under load, is restored with every document and task from before it',
    async () => {
      const manifest = await Bun.file(join(root, 'k8s/components/backup/cron-job.yaml')).text()
      const [container] = cronJobSchema.parse(Bun.YAML.parse(manifest)).spec.jobTemplate.spec.template.spec
        .containers
      const backups = join(directory, 'postgres')
      await mkdir(backups)
      await using database = await usePostgres()
      const url = new URL(database.url)
      const secret: Record<string, string> = {
        PGHOST: url.hostname,
        PGUSER: url.username,
        PGPASSWORD: url.password,
        PGDATABASE: url.pathname.slice(1),
      }
      const values = container.env.map(({ name, value }) => [name, value ?? secret[name]] as const)
      // The drill has its own port, and the volume is elsewhere.
      const env = {
        ...Object.fromEntries(values),
        PATH: path,
        PGPORT: url.port,
        BACKUP_DIR: backups,
        KEEP: '2',
      }
      expect(Object.values(env)).not.toContain(undefined)
      const name = `${secret.PGDATABASE}_restored`
      await drill({
        service: { DATABASE_URL: database.url },
        backUp: () => ({
          command: container.command.map((word) => (word.endsWith('/backup.sh') ? script : word)),
          env,
        }),
        backups,
        async restore(backup) {
          const options = ['--exit-on-error', '--single-transaction', '--no-owner', '--no-privileges']
          await runSuccessfully(['createdb', '--template=template0', '--encoding=UTF8', name], { env })
          await runSuccessfully(['pg_restore', ...options, `--dbname=${name}`, backup], { env })
          return { DATABASE_URL: `${database.url}_restored` }
        },
      })
      await database.psql(`drop database "${name}"`)
    },
    timeoutMs,
  )

  test('that fails leaves no backup, and reports what is missing', async () => {
    const backups = join(directory, 'failing')
    await mkdir(backups)
    const run = (env: Record<string, string>) => runCommand(['sh', script], { env: { PATH: path, ...env } })
    const noDirectory = await run({ DATA_DIR: directory })
    expect([noDirectory.exitCode === 0, noDirectory.stderr]).toEqual([
      false,
      expect.stringContaining('BACKUP_DIR'),
    ])
    expect(await run({ BACKUP_DIR: backups })).toMatchObject({ exitCode: 78 })
    expect((await run({ BACKUP_DIR: backups, DATA_DIR: join(directory, 'nowhere') })).exitCode).not.toBe(0)
    expect(await readdir(backups)).toEqual([])
  })
})

async function usePostgres() {
  const database = await createPostgresDatabase()
  return Object.assign(database, { [Symbol.asyncDispose]: () => database.remove() })
}

interface Drill {
  readonly service: Readonly<Record<string, string>>
  readonly backUp: () => { readonly command: string[]; readonly env: Record<string, string | undefined> }
  readonly backups: string
  /** Restores a backup; returns the settings of a service that uses it. */
  readonly restore: (backup: string) => Promise<Readonly<Record<string, string>>>
}

/** Backs up a service under writes, destroys it, restores the newest backup, and compares. */
async function drill({ service: settings, backUp, backups, restore }: Drill): Promise<void> {
  const ledger = new Ledger()
  const service = await startService({ env: { ...noDrainWindow, ...settings } })
  await using _ = service
  const taskIds = await Promise.all([1, 2, 3].map((n) => addTask(service.url, `task ${n}`)))
  const before = new DocumentLoad(service.url, { prefix: 'before', clients: 4, ledger })
  await before.untilConfirmed(100)
  await before.stop()
  const settled = await everyDocument(service.url)
  const during = new DocumentLoad(service.url, { prefix: 'during', clients: 2, ledger: new Ledger() })
  await during.untilConfirmed(20)
  const { command, env } = backUp()
  const made: string[] = []
  // Enough backups that one is deleted. The names contain the second.
  while (made.length < 3) {
    const backup = await runSuccessfully(command, { env })
    if (!made.includes(backup)) made.push(backup)
  }
  await during.stop()
  expect(during.wrong).toEqual([])
  expect((await readdir(backups)).map((file) => join(backups, file)).sort()).toEqual(made.slice(1))
  await service.kill()

  await using restored = await startService({
    env: { ...noDrainWindow, ...(await restore(made.at(-1) as string)) },
  })
  const documents = await everyDocument(restored.url)
  expect(documents.slice(0, settled.length)).toEqual(settled)
  expect(ledger.differences(settled)).toEqual([])
  for (const id of taskIds)
    await until(async () => (await findTask(restored.url, id)).status === 'completed', { intervalMs: 20 })
}

async function addTask(url: string, payload: string): Promise<string> {
  const response = await fetch(`${url}/tasks`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ payload }),
  })
  return ((await response.json()) as { task_id: string }).task_id
}

async function findTask(url: string, id: string): Promise<{ status: string }> {
  const response = await fetch(`${url}/tasks/${id}`)
  expect(response.status).toBe(200)
  return ((await response.json()) as { task: { status: string } }).task
}
