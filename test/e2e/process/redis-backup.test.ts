import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { copyFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runSuccessfully } from '../../support/command.ts'
import { parseCommands } from '../../support/markdown.ts'
import { haveRedis, startRedis } from '../../support/redis.ts'
import { root } from '../../support/root.ts'
import { noDrainWindow, startService } from '../../support/service.ts'
import { until } from '../../support/until.ts'

setDefaultTimeout(120_000)

const commands = parseCommands(await Bun.file(join(root, 'docs/disaster-recovery.md')).text())

/** Runs a block of the page. @returns its standard output */
function follow(name: string, env: Readonly<Record<string, string>>): Promise<string> {
  const command = commands.find((each) => each.name === name)
  if (command === undefined) throw new Error(`docs/disaster-recovery.md has no block "${name}"`)
  return runSuccessfully(['sh', '-ec', command.script], { env: { ...process.env, ...env } })
}

let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tally-redis-backup-'))
})
afterAll(() => rm(directory, { recursive: true }))

describe.skipIf(!haveRedis())('the commands of docs/disaster-recovery.md', () => {
  test('restore the tasks at the time of the backup, which then run', async () => {
    await using cleanup = new AsyncDisposableStack()
    const redis = await startRedis()
    cleanup.defer(redis.remove)
    const env = {
      BACKUP: join(directory, 'tally.rdb'),
      REDIS_HOST: '127.0.0.1',
      REDIS_PORT: String(redis.port),
      REDIS_DIR: redis.directory,
    }
    await using server = await startService({
      env: { ...noDrainWindow, REDIS_URL: redis.url, WORKER: 'off' },
    })
    const before = await Promise.all(Array.from({ length: 30 }, (_, n) => addTask(server.url, `before ${n}`)))
    await follow('redis-back-up', env)
    expect(await follow('redis-check', env)).toContain('RDB looks OK')
    await addTask(server.url, 'after the backup')

    await redis.kill()
    // Why the page does more than copy the file.
    await rm(join(redis.directory, 'appendonlydir'), { recursive: true })
    await copyFile(env.BACKUP, join(redis.directory, 'dump.rdb'))
    await redis.start()
    expect(await until(async () => (await listTasks(server.url)).length === 0)).toBe(true)
    await redis.kill()

    await follow('redis-restore', env)
    await redis.start()

    // The server did not restart.
    const restored = await until(async () => {
      const tasks = await listTasks(server.url)
      return tasks.length > 0 && tasks
    })
    expect(restored.map(({ id }) => id).sort()).toEqual(before.sort())
    await using worker = await startService({
      program: 'src/worker.ts',
      env: { ...noDrainWindow, REDIS_URL: redis.url },
    })
    expect(worker.alive).toBe(true)
    await until(async () => (await listTasks(server.url)).every(({ status }) => status === 'completed'))
    const ended = await until(() => listTasks(server.url))
    expect(ended).toHaveLength(before.length)
  })
})

/**
 * Adds a task like a client: on a busy machine Redis may take too long for one request, so it repeats it with its key.
 *
 * @returns the task's id
 */
function addTask(url: string, payload: string): Promise<string> {
  return until(async () => {
    const response = await fetch(`${url}/tasks`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': payload.replaceAll(' ', '-') },
      body: JSON.stringify({ payload }),
    })
    return response.status === 201 && ((await response.json()) as { task_id: string }).task_id
  })
}

/** @throws Error while the queue is unavailable */
async function listTasks(url: string): Promise<{ id: string; status: string }[]> {
  const response = await fetch(`${url}/tasks?limit=100`)
  if (!response.ok) throw new Error(`status ${response.status}`)
  return ((await response.json()) as { tasks: { id: string; status: string }[] }).tasks
}
