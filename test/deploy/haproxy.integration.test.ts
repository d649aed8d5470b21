import { afterEach, describe, expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Balancer, startBalancer } from '../e2e/rollout/balancer.ts'
import { freePorts } from '../support/free-ports.ts'
import { hasProgram } from '../support/programs.ts'
import { until } from '../support/until.ts'
import { type Backend, startBackend, startBreakingBackend } from './backend.ts'

const cleanup: (() => unknown)[] = []
afterEach(async () => {
  for (const undo of cleanup.splice(0).reverse()) await undo()
})

/** HAProxy with the shipped configuration in front of servers on these ports, all up. */
async function balance(ports: readonly number[]): Promise<Balancer> {
  const directory = await mkdtemp(join(tmpdir(), 'balancer-'))
  cleanup.push(() => rm(directory, { recursive: true }))
  const [port = 0, statsPort = 0, ...unused] = freePorts(7 - ports.length)
  const balancer = await startBalancer({
    directory,
    port,
    statsPort,
    slotPorts: [...ports, ...unused],
    retries: 2,
  })
  cleanup.push(balancer.stop)
  const slots = ['api-1', 'api-2', 'api-3', 'api-4', 'api-5']
  await until(
    async () => {
      const states = await balancer.states()
      return slots.every((slot, index) => states.get(slot)?.status === (index < ports.length ? 'UP' : 'DOWN'))
    },
    { what: 'the slots to be known' },
  )
  return balancer
}

/** The same, with two servers that respond. */
async function balanced(): Promise<{ balancer: Balancer; one: Backend; two: Backend }> {
  const [one, two] = [startBackend('one'), startBackend('two')]
  cleanup.push(one.stop, two.stop)
  return { balancer: await balance([one.port, two.port]), one, two }
}

/** One connection per request, like most clients over time. */
const post = (balancer: Balancer): Promise<Response> =>
  fetch(`${balancer.url}/payload`, {
    method: 'POST',
    body: '{}',
    headers: { connection: 'close', 'x-forwarded-for': '203.0.113.7' },
  })

const isOut = (balancer: Balancer, slot: string) => async (): Promise<boolean> =>
  (await balancer.states()).get(slot)?.status === 'DOWN'

describe.skipIf(!hasProgram('haproxy', 'haproxy'))('the load balancer', () => {
  test('sends no new requests to an instance that is not ready, and lets it finish those in flight', async () => {
    const { balancer, one, two } = await balanced()
    const held = Promise.withResolvers<string>()
    // Another response for each request: a slow machine sends more than one.
    one.answer = async () => new Response(await held.promise)
    const answers: Promise<Response>[] = []
    await until(
      () => {
        answers.push(post(balancer))
        return one.requests.length > 0
      },
      { what: 'the first to receive a request' },
    )

    one.ready = false
    await until(isOut(balancer, 'api-1'), { what: 'the first to be out' })
    const had = one.requests.length
    for (let i = 0; i < 20; i++) expect(await (await post(balancer)).text()).toBe('two')
    expect(one.requests.length).toBe(had)

    held.resolve('one, late')
    const texts = await Promise.all(answers.map(async (answer) => (await answer).text()))
    expect(texts.filter((text) => text === 'one, late')).toHaveLength(had)
    expect(two.requests.length).toBeGreaterThanOrEqual(20)

    one.ready = true
    await balancer.untilUp('api-1')
  })

  test('one failed check does not take an instance out', async () => {
    const { balancer, one } = await balanced()
    const before = one.probes()
    one.failingProbes = 1
    await until(() => one.probes() > before + 3, { what: 'the failed check and more' })
    expect((await balancer.states()).get('api-1')?.status).toBe('UP')
  })

  test('a request that an instance aborted is not repeated anywhere', async () => {
    const [one, two] = [startBreakingBackend(), startBreakingBackend()]
    cleanup.push(one.stop, two.stop)
    const balancer = await balance([one.port, two.port])
    for (let sent = 1; sent <= 4; sent++) {
      await post(balancer).catch(() => undefined)
      expect(one.requests() + two.requests()).toBe(sent)
    }
  })

  test('a refused connection is retried on another instance, because nothing was sent', async () => {
    const { balancer, one } = await balanced()
    one.stop()
    // HAProxy does not yet know that the server is gone, so some of these meet a closed port.
    for (let i = 0; i < 10; i++) expect(await (await post(balancer)).text()).toBe('two')
  })

  test('forwards the address of the connection, not one that the client claims', async () => {
    const { balancer, one, two } = await balanced()
    await post(balancer)
    const [request] = [...one.requests, ...two.requests]
    expect(request?.get('x-forwarded-for')).toBe('127.0.0.1')
  })
})
