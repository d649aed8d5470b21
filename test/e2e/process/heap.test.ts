import { expect, test } from 'bun:test'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Service, startService } from '../../support/service.ts'

const env = { METRICS_PORT: '0', WORKER_PORT: '0', DRAIN_QUIET: '0s' }

/** The metadata of a snapshot, checked for the fields that readers of the format need. */
async function snapshotOf(service: Service, query = '') {
  const { url } = await service.log.line('admin server listening')
  const response = await fetch(new URL(`/debug/heap${query}`, String(url)), { method: 'POST' })
  expect(response.status).toBe(200)
  const { snapshot, nodes, strings } = (await response.json()) as {
    snapshot: { node_count: number; meta: { node_fields: string[] } }
    nodes: number[]
    strings: string[]
  }
  expect(nodes).toHaveLength(snapshot.node_count * snapshot.meta.node_fields.length)
  expect(strings.length).toBeGreaterThan(1_000)
  return { pid: Number(/filename="(\d+)-/.exec(response.headers.get('content-disposition') ?? '')?.[1]) }
}

test.each(['src/main.ts', 'src/worker.ts'])(
  '%s sends its heap snapshot, and keeps serving',
  async (program) => {
    await using service = await startService({ program, env })
    await snapshotOf(service)
    await snapshotOf(service)
    service.signal('SIGTERM')
    expect(await service.exited).toBe(0)
  },
  60_000,
)

test('each of several processes sends its heap snapshot by pid and leaves no file', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'tally-heap-'))
  {
    await using service = await startService({ env: { ...env, WEB_CONCURRENCY: '2', DATA_DIR: directory } })
    const { pids } = (await service.log.line('supervising')) as unknown as { pids: number[] }
    expect(pids).toHaveLength(2)
    for (const pid of pids) expect(await snapshotOf(service, `?pid=${pid}`)).toEqual({ pid })
    expect(pids).toContain((await snapshotOf(service)).pid)
    expect((await readdir(directory)).filter((name) => name.includes('heap'))).toEqual([])
  }
  await rm(directory, { recursive: true })
}, 60_000)
