import { Database } from 'bun:sqlite'
import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { copyFile, mkdtemp, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runCommand, runSuccessfully } from '../../support/command.ts'
import { hasProgram, isLinux, isRoot } from '../../support/programs.ts'
import { noDrainWindow, type Service, startService } from '../../support/service.ts'
import { until } from '../../support/until.ts'
import { findListening } from '../../support/worker-processes.ts'

setDefaultTimeout(120_000)

describe('a service whose database file is gone', () => {
  let directory: string
  let file: string
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tally-useless-'))
    file = join(directory, 'tally.db')
  })
  afterEach(() => rm(directory, { recursive: true, force: true }))

  // With this lease, the worker registers itself every second.
  const start = (env?: Record<string, string>) =>
    startService({ env: { ...noDrainWindow, DATA_DIR: directory, TASK_LEASE: '3s', ...env } })

  /** So that each request may reach another process. */
  const newConnection = { connection: 'close' }

  async function store({ url }: Service, id: string): Promise<number> {
    const response = await fetch(`${url}/data/${id}`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json', ...newConnection },
      body: '{"a":1}',
    })
    return response.status
  }

  const addTask = async ({ url }: Service): Promise<number> =>
    (
      await fetch(`${url}/tasks`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"payload":"a"}',
      })
    ).status

  const statusOf = async ({ url }: Service, id: string) =>
    (await fetch(`${url}/data/${id}`, { headers: newConnection })).status

  const checksOf = async ({ url }: Service) =>
    ((await (await fetch(`${url}/ready`)).json()) as { checks: { store: string; queue: string } }).checks

  async function showsFailure(service: Service, cause: RegExp): Promise<void> {
    await until(async () => {
      const { store, queue } = await checksOf(service)
      return store === 'failing' && queue === 'failing'
    })
    // The embedded worker registers itself, so the log reports it without a request or a probe.
    const line = await service.log.line('queue operation failed')
    expect(`${line.cause}`).toMatch(cause)
  }

  test('because it was deleted: confirms no more writes, and still serves reads', async () => {
    await using service = await start()
    expect(await store(service, 'before')).toBe(201)
    for (const suffix of ['', '-wal', '-shm']) await rm(file + suffix)
    expect(await store(service, 'after')).toBe(503)
    expect(await addTask(service)).toBe(503)
    await showsFailure(service, /tally\.db was deleted while it was open/)
    expect(await statusOf(service, 'before')).toBe(200)
  })

  test.each([
    ['its log', '-wal'],
    ['the index of its log, which has the locks,', '-shm'],
  ])('because only %s was deleted: confirms no more writes, and still serves reads', async (_, suffix) => {
    await using service = await start()
    expect(await store(service, 'before')).toBe(201)
    await rm(file + suffix)
    expect(await store(service, 'after')).toBe(503)
    await showsFailure(service, new RegExp(`tally\\.db${suffix} was deleted while it was open`))
    expect(await statusOf(service, 'before')).toBe(200)
  })

  test.skipIf(!isLinux())(
    'one of several processes that starts with another index of the log loses nothing to the others',
    async () => {
      const confirmed: string[] = []
      {
        await using service = await start({ WEB_CONCURRENCY: '2' })
        expect(await store(service, 'before')).toBe(201)
        const first = await findListening(service, [service.pid])
        const second = await findListening(service, [service.pid, first])
        await rm(`${file}-shm`)
        const stopped = new AbortController()
        const write = async (client: number): Promise<void> => {
          for (let n = 0; !stopped.signal.aborted; n++) {
            const id = `${client}-${n}`
            // The process that answers may be killed.
            if ((await store(service, id).catch(() => 0)) === 201) confirmed.push(id)
          }
        }
        const writers = [1, 2, 3, 4, 5, 6].map(write)
        process.kill(first, 'SIGKILL')
        await findListening(service, [service.pid, first, second])
        const before = confirmed.length
        await until(() => confirmed.length >= before + 2_000)
        stopped.abort()
        await Promise.all(writers)
        // From the processes that cannot see the latest writes as well.
        const statuses = new Set(await Promise.all(confirmed.map((id) => statusOf(service, id))))
        expect(statuses).toContain(200)
        expect(statuses).not.toContain(404)
        // Each of the two may be the last to close the file.
        expect(await service.stop()).toBe(0)
      }
      await using service = await start()
      const statuses = await Promise.all(confirmed.map((id) => statusOf(service, id)))
      expect(statuses.filter((status) => status !== 200)).toEqual([])
      using database = new Database(file, { readonly: true })
      expect(database.query('pragma integrity_check').all()).toEqual([{ integrity_check: 'ok' }])
    },
  )

  test('because a backup was restored over it: confirms no more writes, and a restart has the backup', async () => {
    const backup = join(directory, 'backup.db')
    {
      await using service = await start()
      expect(await store(service, 'in-the-backup')).toBe(201)
      expect(await service.stop()).toBe(0)
      await copyFile(file, backup)
    }
    {
      await using service = await start()
      expect(await store(service, 'lost')).toBe(201)
      for (const suffix of ['', '-wal', '-shm']) await rm(file + suffix)
      await copyFile(backup, file)
      expect(await store(service, 'after')).toBe(503)
      await showsFailure(service, /was (replaced|deleted) while it was open/)
    }
    await using service = await start()
    expect(await statusOf(service, 'in-the-backup')).toBe(200)
    expect(await statusOf(service, 'lost')).toBe(404)
    expect(await store(service, 'after')).toBe(201)
    expect(await checksOf(service)).toMatchObject({ store: 'ok', queue: 'ok' })
  })

  test('for a while, because it was moved away and back: recovers without a restart', async () => {
    await using service = await start()
    expect(await store(service, 'before')).toBe(201)
    const elsewhere = join(directory, 'elsewhere.db')
    await rename(file, elsewhere)
    expect(await store(service, 'meanwhile')).toBe(503)
    await rename(elsewhere, file)
    expect(await store(service, 'after')).toBe(201)
    await until(async () => (await checksOf(service)).store === 'ok')
  })
})

/** Only root may mount, and not in every container. */
async function canMount(): Promise<boolean> {
  if (!isRoot() || !hasProgram('unshare', 'util-linux')) return false
  const { exitCode } = await runCommand(['unshare', '--mount', 'mount', '-t', 'tmpfs', 'none', tmpdir()])
  if (exitCode !== 0)
    console.warn('nothing can be mounted here: the test of a read-only file system is skipped')
  return exitCode === 0
}

test.skipIf(!(await canMount()))(
  'a service whose file system became read-only: reports that, and recovers when it is writable again',
  async () => {
    const directory = await mkdtemp(join(tmpdir(), 'tally-read-only-'))
    const checkOf = async ({ url }: Service) =>
      ((await (await fetch(`${url}/ready`)).json()) as { checks: { store: string } }).checks.store
    try {
      await using service = await startService({ env: { ...noDrainWindow, DATA_DIR: directory } })
      expect(await checkOf(service)).toBe('ok')
      // The same files through a read-only mount.
      await runSuccessfully(['mount', '--bind', directory, directory])
      await runSuccessfully(['mount', '-o', 'remount,ro,bind', directory])
      await until(async () => (await checkOf(service)) === 'failing')
      expect(JSON.stringify(await service.log.line('dependency check failed'))).toContain('is read-only')
      await runSuccessfully(['umount', directory])
      await until(async () => (await checkOf(service)) === 'ok')
    } finally {
      await runCommand(['umount', '--lazy', directory])
      await rm(directory, { recursive: true, force: true })
    }
  },
)
