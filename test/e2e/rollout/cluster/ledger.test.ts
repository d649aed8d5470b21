import { afterEach, expect, test } from 'bun:test'
import { rightAnswers } from '../../../load/right-answer.ts'
import { until } from '../../../support/until.ts'
import { type Account, keepDocuments, keepTasks, type Ledger, taskSeed } from './ledger.ts'

const servers: Bun.Server<undefined>[] = []
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop(true)))
})

/** A fake store of tasks and documents that responds to the n-th POST with `answer(n)` if that is defined. */
function serve(options: {
  answer?: (n: number) => Response | undefined
  read?: (n: number, body: string) => Response
}): string {
  const kept: string[] = []
  let posts = 0
  const server = Bun.serve({
    port: 0,
    async fetch(request) {
      const { pathname } = new URL(request.url)
      if (request.method === 'POST') {
        const other = options.answer?.(posts++)
        if (other !== undefined) return other
        const n = kept.push(await request.text()) - 1
        return new Response(null, { status: 201, headers: { location: `${pathname}/${n}` } })
      }
      const n = Number(pathname.split('/').at(-1))
      return (options.read ?? ((_, body) => new Response(body)))(n, kept[n] ?? '')
    },
  })
  servers.push(server)
  return server.url.origin
}

async function account(keep: (url: string, perSecond: number) => Ledger, url: string): Promise<Account> {
  const ledger = keep(url, 200)
  await until(() => ledger.accepted() >= 5)
  return ledger.close()
}
const documents = (url: string): Promise<Account> => account(keepDocuments, url)
const tasks = (url: string): Promise<Account> =>
  account((to, perSecond) => keepTasks(to, perSecond, 'small'), url)

const right = rightAnswers(taskSeed, 'small')
const completed = (body: string, changes: object = {}): Response => {
  const result = right.get(body.slice('{"payload":'.length, -'}'.length))
  return Response.json({ task: { status: 'completed', attempts: 1, result, ...changes } })
}

test('accepted work that exists afterwards is not a violation', async () => {
  for (const seen of [
    await documents(serve({})),
    await tasks(serve({ read: (_, body) => completed(body) })),
  ]) {
    expect(seen).toMatchObject({ turnedAway: 0, unanswered: [], faults: [], repeated: 0 })
    expect(seen.kept).toBe(seen.accepted)
  }
})

test('an accepted document that is missing or changed afterwards is a violation', async () => {
  const read = (n: number, body: string): Response =>
    n === 1 ? new Response(null, { status: 404 }) : new Response(n === 2 ? '{"value":-1}' : body)
  const { faults, accepted, kept } = await documents(serve({ read }))
  expect(faults.map((fault) => fault.replace(/^.*: /, '')).sort()).toEqual([
    'not as it was sent',
    'status 404',
  ])
  expect(kept).toBe(accepted - 2)
})

test('an accepted task that failed or has a wrong result is a violation; one that ran twice is reported', async () => {
  const read = (n: number, body: string): Response =>
    completed(body, [{ status: 'failed', error: 'gone' }, { result: {} }, { attempts: 2 }][n] ?? {})
  const { faults, repeated } = await tasks(serve({ read }))
  expect(faults.map((fault) => fault.replace(/^.*\/\d+: /, '')).sort()).toEqual([
    'failed: gone',
    'no numeric_analysis',
  ])
  expect(repeated).toBe(1)
})

test('503 with Retry-After counts as rejected, and any other response is a violation', async () => {
  const answers = [
    new Response(null, { status: 503, headers: { 'retry-after': '1' } }),
    new Response(null, { status: 503 }),
    new Response(null, { status: 500 }),
  ]
  const { turnedAway, unanswered } = await documents(serve({ answer: (n) => answers[n] }))
  expect(turnedAway).toBe(1)
  expect([...unanswered].sort()).toEqual(['status 500', 'status 503'])
})

test('burst resolves when all its requests are sent', async () => {
  const ledger = keepDocuments(serve({}), 1)
  await ledger.burst(50)
  expect(ledger.accepted()).toBeGreaterThanOrEqual(50)
  await ledger.close()
})
