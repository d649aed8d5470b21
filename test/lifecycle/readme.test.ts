import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { get, HttpConnection } from '../support/http-connection.ts'

const source = join(import.meta.dir, '../../src')
const readme = await Bun.file(join(source, 'lifecycle/README.md')).text()
const examples = [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code = '']) => code)

test('the README has its two examples', () => {
  expect(examples).toHaveLength(2)
  expect(examples[1]).toContain("from 'hono'")
})

test.each([0, 1])('example %d of the README serves, drains at SIGTERM and exits 0', async (number) => {
  // Runs the example with a shorter window, otherwise unchanged.
  const code = examples[number]?.replace('drainMinMs: 5_000', 'drainMinMs: 100')
  const child = Bun.spawn([process.execPath, 'run', '-'], {
    cwd: source,
    stdin: new Blob([code ?? '']),
    stdout: 'pipe',
    env: { PATH: process.env.PATH ?? '', PORT: '0' },
  })
  const reader = child.stdout.getReader()
  const output = new TextDecoder().decode((await reader.read()).value)
  const port = Number(/listening on http:\/\/.*:(\d+)\//.exec(output)?.[1])

  using connection = await HttpConnection.open(port)
  connection.send(get('/'))
  expect((await connection.next())?.body).toBe('hello')
  child.kill('SIGTERM')
  connection.send(get('/'))
  expect((await connection.next())?.body).toBe('hello')
  connection.close()
  expect(await child.exited).toBe(0)
})
