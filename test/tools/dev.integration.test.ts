import { expect, setDefaultTimeout, test } from 'bun:test'
import { cp, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { spawnChild } from '../support/child-process.ts'
import { root } from '../support/root.ts'
import { until } from '../support/until.ts'

setDefaultTimeout(120_000)

/** A copy of the sources that a test can break. */
async function copySources(stack: AsyncDisposableStack): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tally-dev-'))
  stack.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  for (const name of ['src', 'tools', 'package.json', 'tsconfig.json', 'bunfig.toml'])
    await cp(join(root, name), join(folder, name), { recursive: true })
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
  return folder
}

test('make dev shows the line of a broken file and restarts after a fix', async () => {
  await using stack = new AsyncDisposableStack()
  const folder = await copySources(stack)
  const service = stack.use(
    spawnChild({
      command: [process.execPath, '--no-orphans', join(folder, 'tools/dev.ts')],
      env: {
        HOST: '127.0.0.1',
        PORT: '0',
        DATA_DIR: join(folder, 'data'),
        DRAIN_MAX: '0s',
        LOG_FORMAT: 'json',
      },
    }),
  )
  const starts = (): number => service.log.lines.filter(({ msg }) => msg === 'listening').length
  await until(() => starts() === 1, { timeoutMs: 60_000 })
  // The service loads the first during its start and the second with the program.
  for (const [count, name] of ['src/http/routes/index.ts', 'src/server/run.ts'].entries()) {
    const file = join(folder, name)
    const text = await Bun.file(file).text()
    const line = text.split('\n').length
    await Bun.write(file, `${text}const broken = = 1\n`)
    await until(() => service.log.text.includes(`${file}:${line}:`), { timeoutMs: 60_000 })
    if (count === 0) await until(() => service.log.text.includes('restarts when a file'))
    await Bun.write(file, text)
    await until(() => starts() === count + 2, { timeoutMs: 60_000 })
  }
  service.signal('SIGINT')
  expect(await service.exited).toBe(0)
})

test('make dev exits when the configuration is invalid', async () => {
  await using stack = new AsyncDisposableStack()
  const service = stack.use(
    spawnChild({ command: [process.execPath, join(root, 'tools/dev.ts')], env: { PORT: 'none' } }),
  )
  expect(await service.exited).toBe(78)
  expect(service.log.text).toContain('PORT must be a whole number')
})
