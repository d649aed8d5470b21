import { expect, test } from 'bun:test'
import { startService } from '../../support/service.ts'
import { until } from '../../support/until.ts'

const json = { 'content-type': 'application/json' }

test('several processes: the supervisor pauses the queue and retries its failed tasks', async () => {
  await using service = await startService({
    env: { METRICS_PORT: '0', WEB_CONCURRENCY: '2', DRAIN_QUIET: '0s', DEBUG_ROUTES: 'true' },
  })
  const operations = String((await service.log.line('admin server listening')).url)
  const application = `http://127.0.0.1:${service.port}`
  const readStats = async () => (await (await fetch(`${application}/tasks/stats`)).json()) as object
  const setPaused = async (paused: boolean) => {
    const body = JSON.stringify({ paused })
    const response = await fetch(new URL('/admin/queue', operations), { method: 'PUT', headers: json, body })
    expect(await response.json()).toEqual({ paused })
    const shown = await fetch(new URL('/admin/queue', operations))
    expect(await shown.json()).toEqual({ paused })
    expect(await readStats()).toMatchObject({ paused })
  }
  const add = async (payload: object) => {
    const body = JSON.stringify({ kind: 'demo', payload })
    expect((await fetch(`${application}/tasks`, { method: 'POST', headers: json, body })).status).toBe(201)
  }
  await until(async () => ((await readStats()) as { workers: object[] }).workers.length === 2)

  await setPaused(true)
  for (let n = 0; n < 5; n++) await add({ seconds: 0, fail: 'permanently' })
  expect(await readStats()).toMatchObject({ waiting: 5, failed: 0 })
  await setPaused(false)
  await until(async () => ((await readStats()) as { failed: number }).failed === 5)

  await setPaused(true)
  const retry = () => fetch(new URL('/tasks/retry?status=failed', operations), { method: 'POST' })
  expect(await (await retry()).json()).toEqual({ retried: 5 })
  expect(await readStats()).toMatchObject({ waiting: 5, failed: 0 })
  expect(await (await retry()).json()).toEqual({ retried: 0 })
  // The supervisor's metrics are those of the queue, not a multiple of them.
  const metrics = await (await fetch(new URL('/metrics', operations))).text()
  for (const line of [
    'worker_queue_length 5',
    'worker_queue_paused 1',
    'worker_queue_tasks{state="waiting"} 5',
  ])
    expect(metrics).toContain(`${line}\n`)
}, 30_000)

test('a running task is aborted when it is cancelled, and its event stream ends', async () => {
  await using service = await startService({ env: { DEBUG_ROUTES: 'true', DRAIN_QUIET: '0s' } })
  const url = `http://127.0.0.1:${service.port}/tasks`
  const body = JSON.stringify({ kind: 'demo', payload: { seconds: 60 } })
  const created = await fetch(url, { method: 'POST', headers: json, body })
  const { task_id } = (await created.json()) as { task_id: string }
  const events = await fetch(`${url}/${task_id}/events`)
  await until(async () => (await (await fetch(`${url}/${task_id}`)).text()).includes('"processing"'))
  const cancelled = await fetch(`${url}/${task_id}`, { method: 'DELETE' })
  expect(cancelled.status).toBe(200)
  expect(await cancelled.json()).toMatchObject({ task: { status: 'cancelled', attempts: 1 } })
  expect(await events.text()).toEndWith('\n\n')
  expect(await service.log.line('task cancelled')).toMatchObject({
    task_id,
    kind: 'demo',
    outcome: 'cancelled',
  })
  const metrics = await (await fetch(`http://127.0.0.1:${service.port}/metrics`)).text()
  expect(metrics).toContain('worker_task_runs_total{kind="demo",outcome="cancelled"} 1\n')
  expect(await (await fetch(`${url}/stats`)).json()).toMatchObject({ processing: 0, cancelled: 1 })
}, 30_000)
