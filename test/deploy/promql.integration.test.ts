import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { hasProgram } from '../support/programs.ts'
import { type Prometheus, startPrometheus } from '../support/prometheus.ts'
import { root } from '../support/root.ts'
import { startService } from '../support/service.ts'
import { Impossible, until } from '../support/until.ts'

const queries = [
  ...(await Bun.file(join(root, 'docs/promql.md')).text()).matchAll(/^```promql\n([\s\S]*?)\n```$/gm),
].map(([, query = '']) => query)

describe.skipIf(!hasProgram('prometheus', 'prometheus'))('every query of docs/promql.md', () => {
  const running = new AsyncDisposableStack()
  let ask: Prometheus['ask']

  beforeAll(async () => {
    const service = running.use(await startService())
    const url = `http://127.0.0.1:${service.port}`
    const prometheus = running.use(
      await startPrometheus([{ port: service.port, labels: { pod: 'instance-1' } }]),
    )
    ask = prometheus.ask

    // Repeats every kind of request, because the first sample of a series shows no increase.
    const send = (path: string, body: unknown): Promise<Response> =>
      fetch(url + path, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })
    await until(
      async () => {
        await Promise.all([
          send('/payload', { numbers: [1, 2, 3], text: 'Some text.' }),
          send('/payload', { numbers: [] }),
          send('/data', { name: 'a document' }),
          fetch(`${url}/data/one`),
          send('/tasks', { payload: 'Some text.' }),
        ])
        // The last rule of each group, because groups are evaluated independently.
        const timed = await ask('tally:request_duration_seconds:p99_5m')
        const recorded = await ask('tally:request_errors:ratio_rate3d and tally:requests:rate5m > 0')
        const worked = await ask('rate(worker_tasks_processed_total[5m]) > 0')
        const read = await ask('rate(api_http_requests_total{route="/data/:id"}[5m]) > 0')
        const scraped = await ask('rate(api_http_requests_total{route="/metrics"}[5m]) > 0')
        return [timed, recorded, worked, read, scraped].every(({ data }) => data.result.length > 0)
      },
      { what: 'a sample of everything', timeoutMs: 120_000 },
    )
  }, 150_000)
  afterAll(() => running.disposeAsync())

  for (const query of queries)
    test(`returns a result: ${query}`, async () => {
      // A scrape that times out on a busy machine leaves a gap.
      await until(async () => {
        const { status, data } = await ask(query)
        if (status !== 'success') throw new Impossible(`${query}: ${status}`)
        return data.result.length > 0
      })
    }, 60_000)
})

test('docs/promql.md has queries', () => {
  expect(queries.length).toBeGreaterThan(30)
})
