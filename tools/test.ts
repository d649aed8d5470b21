/**
 * Runs the tests with their shared resources:
 *
 *     bun run test                 the quick tier: unit, HTTP and contract tests on the embedded engines, one process
 *     bun run test:all             all of them: also on PostgreSQL and Redis, and test/e2e
 *     bun run test test/http -t x  the tests that these arguments of `bun test` select
 *
 * All files of a run are in one folder, on a tmpfs if available, which is deleted with the run. Processes end with it
 * too: `--no-orphans` ends them even if this process is killed.
 */
import { accessSync, constants, mkdtempSync, readdirSync, rmSync, statfsSync } from 'node:fs'
import { chmod } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { parseArgs } from 'node:util'
import {
  createPostgresCluster,
  havePostgres,
  serverVariable as postgresServerVariable,
  startPostgres,
  templateVariable,
} from '../test/support/postgres.ts'
import { haveRedis, serverVariable as redisServerVariable, startRedis } from '../test/support/redis.ts'
import { separateTests, slowTests } from './test-tiers.ts'

/** Default timeout of a test, in ms: generous, because the machine may be busy. */
const timeoutMs = 30_000
/** Minimum size of a tmpfs to use, in bytes: a container's has 64 MB. */
const minTmpfsBytes = 2 * 2 ** 30
const folderPrefix = 'tally-test-'
/** One more than processors: a file that waits for a process leaves its processor idle. */
const workers = availableParallelism() + 1

const { values, positionals, tokens } = parseArgs({
  options: { all: { type: 'boolean', default: false } },
  strict: false,
  tokens: true,
})
const passedOn = tokens
  .filter((token) => token.kind !== 'option' || token.name !== 'all')
  .map((token) => process.argv[token.index + 2] as string)
const quick = !values.all && positionals.length === 0

const base = findBase()
removeStaleFolders(base)
const folder = mkdtempSync(join(base, `${folderPrefix}${process.pid}-`))
process.on('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }))
process.env.TMPDIR = folder

const shared = new AsyncDisposableStack()
const run = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => run.abort(signal))
process.exitCode = await runTests().finally(() => shared.disposeAsync())

async function runTests(): Promise<number> {
  if (!quick) await startSharedServers()
  if (run.signal.aborted) return 130
  const ignored = quick ? [...slowTests, ...separateTests] : positionals.length > 0 ? [] : separateTests
  const tests = Bun.spawn(
    [
      ...[process.execPath, 'test', '--no-orphans', `--parallel=${workers}`, `--timeout=${timeoutMs}`],
      ...ignored.map((pattern) => `--path-ignore-patterns=${pattern}`),
      ...passedOn,
    ],
    { env: process.env, stdio: ['inherit', 'inherit', 'inherit'] },
  )
  run.signal.addEventListener('abort', () => tests.kill('SIGTERM'))
  return await tests.exited
}

/** One PostgreSQL, one empty cluster that tests with a separate server copy, and one Redis. */
async function startSharedServers(): Promise<void> {
  if (havePostgres()) {
    // The server's account must be able to enter it.
    await chmod(folder, 0o711)
    const template = mkdtempSync(join(folder, 'postgres-template-'))
    await createPostgresCluster(template)
    process.env[templateVariable] = template
    const postgres = await startPostgres()
    shared.defer(postgres.remove)
    process.env[postgresServerVariable] = postgres.url
  }
  if (haveRedis()) {
    const redis = await startRedis()
    shared.defer(redis.remove)
    process.env[redisServerVariable] = redis.url
  }
}

/** The kill -9 tests prove what survives a process, not a power failure, so memory is sufficient and faster. */
function findBase(): string {
  const tmpfs = '/dev/shm'
  try {
    accessSync(tmpfs, constants.W_OK)
    const { bavail, bsize } = statfsSync(tmpfs)
    return bavail * bsize >= minTmpfsBytes ? tmpfs : tmpdir()
  } catch {
    return tmpdir()
  }
}

/** The folders of killed runs. */
function removeStaleFolders(parent: string): void {
  for (const name of readdirSync(parent).filter((each) => each.startsWith(folderPrefix))) {
    const [pid = ''] = basename(name).slice(folderPrefix.length).split('-')
    if (!isAlive(Number(pid))) rmSync(join(parent, name), { recursive: true, force: true })
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
