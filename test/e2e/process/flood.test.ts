import { expect, setDefaultTimeout, test } from 'bun:test'
import { openLoop } from '../../../bench/open-loop.ts'
import { postPayload } from '../../../bench/workloads.ts'
import { startService } from '../../support/service.ts'

// The long form, with times, is bench/flood.ts. This test checks only the outcomes of requests and probes.
setDefaultTimeout(60_000)

test('a flood is answered or shed, request by request; probes never fail, and afterwards nothing is shed', async () => {
  await using service = await startService({ env: { ACCESS_LOG: 'false', SHED_AFTER: '20ms' } })
  const body = JSON.stringify({ numbers: Array.from({ length: 10_000 }, (_, i) => i % 10), text: 'flood' })
  const request = postPayload(body)
  const probes: number[] = []
  let flooding = true
  const probe = (async () => {
    while (flooding) {
      for (const path of ['/health', '/metrics'])
        probes.push((await fetch(`http://127.0.0.1:${service.port}${path}`)).status)
      await Bun.sleep(50)
    }
  })()
  const statuses = new Set<number>()
  // A busy machine sends fewer requests than are due, so the flood lasts until the service sheds.
  while (!statuses.has(503)) {
    const flood = await openLoop(service.port, request, {
      perSecond: 15_000,
      seconds: 1,
      connectionsMax: 400,
    })
    expect(flood.lost).toBe(0)
    for (const status of flood.latenciesMs.keys()) statuses.add(status)
  }
  flooding = false
  await probe

  expect([...statuses].toSorted()).toEqual([200, 503])
  expect(new Set(probes)).toEqual(new Set([200]))
  const calm = await openLoop(service.port, request, { perSecond: 20, seconds: 1, connectionsMax: 10 })
  expect([...calm.latenciesMs.keys()]).toEqual([200])
})
