import { afterEach, beforeEach, expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { measureStarts } from '../../bench/start.ts'
import type { Target } from '../../bench/targets.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tally-start-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

async function targetOf(name: string, source: string): Promise<Target> {
  const path = join(folder, `${name}.ts`)
  await Bun.write(path, source)
  return { name, command: [process.execPath, path] }
}

test('a start ends when /ready stops returning 503, not when the server listens', async () => {
  const late = await targetOf(
    'late',
    `const readyAt = performance.now() + 300
    Bun.serve({
      port: Number(process.env.PORT),
      fetch: () => new Response('', { status: performance.now() < readyAt ? 503 : 200 }),
    })`,
  )
  const [start] = await measureStarts([late], 1, () => {})
  expect(start?.rejected).toBeUndefined()
  expect(start?.ms?.median).toBeGreaterThan(300)
})

test('a target that exits is rejected; the others are measured', async () => {
  const broken = await targetOf('broken', 'process.exit(3)')
  const good = await targetOf(
    'good',
    `Bun.serve({ port: Number(process.env.PORT), fetch: () => new Response('') })`,
  )
  const starts = await measureStarts([broken, good], 2, () => {})
  expect(starts[0]).toEqual({ target: 'broken', rejected: 'exited with code 3' })
  expect(starts[1]?.ms?.median).toBeGreaterThan(0)
})
