import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readReport } from '../../tools/junit-report.ts'
import { runCommand } from '../support/command.ts'

// Reports of the runner itself, because nothing specifies their form.

let directory = ''
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tally-junit-'))
})
afterAll(() => rm(directory, { recursive: true }))

/** Runs files of tests and reads the report of the run. */
async function report(files: Readonly<Record<string, string>>) {
  const own = await mkdtemp(join(directory, 'run-'))
  for (const [name, body] of Object.entries(files))
    await Bun.write(join(own, name), `import { describe, expect, test } from 'bun:test'\n${body}`)
  const outfile = join(own, 'junit.xml')
  await runCommand([process.execPath, 'test', '--reporter=junit', `--reporter-outfile=${outfile}`], {
    cwd: own,
  })
  return await readReport(outfile)
}

test('names the files that ran, and no failure where there is none', async () => {
  const { files, failures } = await report({
    'one.test.ts': `test('passes', () => expect(1).toBe(1))`,
    'two.test.ts': `test.skip('is skipped', () => {})\ntest('passes', () => {})`,
  })
  expect([...files].sort()).toEqual(['one.test.ts', 'two.test.ts'])
  expect(failures).toEqual([])
})

test('gives each failure its own test, also between others that passed', async () => {
  const { files, failures } = await report({
    'mixed.test.ts': `describe('a <group> & "more"', () => {
      test('passes', () => {})
      test('fails', () => { throw new Error('first line\\nsecond line') })
      test('passes too', () => {})
      test('fails too', () => expect(1).toBe(2))
    })`,
  })
  expect([...files]).toEqual(['mixed.test.ts'])
  expect(failures.map(({ file }) => file)).toEqual(['mixed.test.ts', 'mixed.test.ts'])
  expect(failures.map(({ name }) => name.replace(/^.* > /, ''))).toEqual(['fails', 'fails too'])
  for (const { message } of failures) expect(message).not.toContain('second line')
})

test('does not name a file that could not be loaded', async () => {
  const { files } = await report({
    'good.test.ts': `test('passes', () => {})`,
    'broken.test.ts': `import './missing.ts'\ntest('never runs', () => {})`,
  })
  expect([...files]).toContain('good.test.ts')
  expect([...files]).not.toContain('broken.test.ts')
})

test('throws where there is no report', async () => {
  const missing = await readReport(join(directory, 'none.xml')).then(
    () => undefined,
    (error: NodeJS.ErrnoException) => error.code,
  )
  expect(missing).toBe('ENOENT')
})
