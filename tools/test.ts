/**
 * Runs the tests, with everything that they share:
 *
 *     bun run test                 the quick tier: unit, HTTP and contract tests on the embedded engines, one process
 *     bun run test:all             all of them: also on PostgreSQL and Redis, and test/e2e
 *     bun run test test/http -t x  what these arguments of `bun test` choose, of all of them
 *
 * Everything that a run writes is in one folder, on a tmpfs where there is one, and goes with the run. Processes go with it
 * too: `--no-orphans` ends them even when this process is killed.
 */
import { accessSync, constants, mkdtempSync, readdirSync, rmSync, statfsSync } from 'node:fs'
import { chmod } from 'node:fs/promises'
import { tmpdir } from 'node:os'
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

/** How long a test may take that names no time of its own, in ms: for a machine that has other work too. */
const timeoutMs = 30_000
/** A tmpfs smaller than this is not used, in bytes: a container's has 64 MB. */
const minTmpfsBytes = 2 * 2 ** 30
const folderPrefix = 'tally-test-'

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
      ...[process.execPath, 'test', '--no-orphans', '--parallel', `--timeout=${timeoutMs}`],
      ...ignored.map((pattern) => `--path-ignore-patterns=${pattern}`),
      ...passedOn,
    ],
    { env: process.env, stdio: ['inherit', 'inherit', 'inherit'] },
  )
  run.signal.addEventListener('abort', () => tests.kill('SIGTERM'))
  return await tests.exited
}

/** One PostgreSQL, with the empty cluster that tests copy which need a server of their own, and one Redis. */
async function startSharedServers(): Promise<void> {
  if (havePostgres()) {
    // The account of the server has to get through.
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

/** The kill -9 tests prove what survives a process, not what survives a power cut: memory will do, and is faster. */
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

/** The folders of runs that were killed. */
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
