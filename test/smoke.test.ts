import { expect, test } from 'bun:test'
import { examplePayload } from './support/example-payload.ts'
import { startService } from './support/service.ts'

test('a process starts, answers, and exits 0 on SIGTERM with its last line written', async () => {
  await using service = await startService({ env: { DRAIN_QUIET: '0s' } })
  const response = await fetch(`${service.url}/payload`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(examplePayload),
  })
  expect(response.status).toBe(200)
  expect(await response.json()).toMatchObject({ numeric_analysis: { mean: 3 } })
  expect(await service.stop()).toBe(0)
  expect(service.log.lines.at(-1)).toMatchObject({ msg: 'stopped', reason: 'SIGTERM', exit_code: 0 })
}, 30_000)
