import { afterEach, beforeEach, expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { measure } from '../../bench/rounds.ts'
import { bare, type Target } from '../../bench/targets.ts'
import { payloadWorkloads } from '../../bench/workloads.ts'

// Real servers with windows of a few ms: these tests check verdicts, not figures.
const plan = { rounds: 1, windowMs: 20, warmUpMs: 10 }
const [small] = payloadWorkloads()

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tally-rounds-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

/** A server with the given handler. */
async function serverWith(name: string, handler: string, computes = true): Promise<Target> {
  const path = join(folder, `${name.replaceAll(' ', '-')}.ts`)
  await Bun.write(path, `Bun.serve({ port: Number(process.env.PORT), fetch: ${handler} })`)
  return { name, command: [process.execPath, path], computes }
}

test('a target with a wrong figure is rejected with that figure; the others are measured', async () => {
  const wrong = await serverWith('wrong', 'async () => Response.json({ numeric_analysis: { count: 6 } })')
  const [first, second] = await measure([bare, wrong], small!, plan, () => {})
  expect(first).toMatchObject({ target: 'bare', notes: [] })
  expect(first?.windows[0]?.requests).toBeGreaterThan(0)
  expect(second).toMatchObject({ target: 'wrong', windows: [], rejected: 'count is 6, expected 5' })
})

test('a target that accepts an invalid body is rejected', async () => {
  const answer = JSON.stringify(small!.expected)
  const lenient = await serverWith('lenient', `async () => Response.json(${answer})`)
  const [measured] = await measure([lenient], small!, plan, () => {})
  expect(measured?.rejected).toStartWith('answered 200 to {"numbers": [1, 2], "text": ')
})

test('a target that cannot start is rejected', async () => {
  const [measured] = await measure(
    [{ name: 'broken', command: [process.execPath, '-e', 'process.exit(1)'] }],
    small!,
    plan,
    () => {},
  )
  expect(measured?.rejected).toBe('broken exited with code 1')
})

test('a target that stops responding is restarted and its window repeated, with a note', async () => {
  const once = join(folder, 'once')
  const silent = await serverWith(
    'silent',
    `async () => {
      if (await Bun.file('${once}').exists()) return new Response('{}')
      await Bun.write('${once}', '')
      return new Promise(() => {})
    }`,
    false,
  )
  const [measured] = await measure([silent], small!, { ...plan, responseTimeoutMs: 100 }, () => {})
  expect(measured).toMatchObject({
    notes: ['restarted and window repeated: no response to 1 requests within 100 ms'],
    windows: [{}],
  })
  expect(measured?.rejected).toBeUndefined()
})

test('a target that stays silent is rejected; the others are measured', async () => {
  const silent = await serverWith('silent', '() => new Promise(() => {})', false)
  const constant = await serverWith('constant', "() => new Response('{}')", false)
  const measured = await measure([silent, constant], small!, { ...plan, responseTimeoutMs: 100 }, () => {})
  expect(measured[0]?.rejected).toBe('no response to 1 requests within 100 ms')
  expect(measured[1]?.windows).toHaveLength(1)
})
