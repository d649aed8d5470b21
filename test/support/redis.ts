import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Child, spawnChild } from './child-process.ts'
import { runCommand, runSuccessfully } from './command.ts'
import { freePort } from './free-ports.ts'
import { hasProgram } from './programs.ts'
import { Impossible, until } from './until.ts'

export interface RedisServerOptions {
  /** Whether to keep an append-only file, written to disk before a write is confirmed. Default: true. */
  readonly appendonly?: boolean
  /** More arguments of the server. */
  readonly args?: readonly string[]
  /** Variables of the server, such as those of faketime. */
  readonly env?: Readonly<Record<string, string>>
}

/** A separate Redis server for one test, which it may kill: on a free loopback port, in a temporary folder. */
export interface RedisServer {
  readonly url: string
  readonly port: number
  readonly pid: number
  /** The folder of its files. */
  readonly directory: string
  /** Restarts it after `kill`, on the same port with the same files; resolves when it responds. */
  start(): Promise<void>
  /** Sends SIGKILL. */
  kill(): Promise<void>
  signal(name: NodeJS.Signals): void
  /** Runs a command and returns its trimmed output. */
  send(...words: string[]): Promise<string>
  /** Deletes all data. */
  flush(): Promise<void>
  /** Ends it and deletes its files. */
  remove(): Promise<void>
}

/** A database of a shared Redis server. */
export interface RedisDatabase {
  readonly url: string
  remove(): Promise<void>
}

/** The server that the files of a test run share: see tools/test.ts. */
export const serverVariable = 'TEST_REDIS_URL'

/** How long a start may take on a loaded machine, in ms. */
const startTimeoutMs = 30_000
/** Database 0 holds the number of the last database in use. */
const databases = 1_000

/** Whether the tests on Redis can run here. */
export function haveRedis(): boolean {
  return hasProgram('redis-server', 'redis-server')
}

/**
 * Reserves an empty database on the test run's server. If a test file runs alone, starts a new server that ends with
 * it.
 */
export async function takeRedisDatabase(): Promise<RedisDatabase> {
  const serverUrl = process.env[serverVariable]
  if (serverUrl === undefined) return await startRedis()
  const { port } = new URL(serverUrl)
  const number = await runSuccessfully(['redis-cli', '-p', port, 'INCR', 'databases'])
  return {
    url: `${serverUrl}/${number}`,
    remove: async () => void (await runSuccessfully(['redis-cli', '-p', port, '-n', number, 'FLUSHDB'])),
  }
}

/** @throws Error with the server's message if it does not start */
export async function startRedis({
  appendonly = true,
  args = [],
  env = {},
}: RedisServerOptions = {}): Promise<RedisServer> {
  const home = await mkdtemp(join(tmpdir(), 'tally-redis-'))
  const port = freePort()
  const log = join(home, 'server.log')
  let server: Child | undefined

  async function start(): Promise<void> {
    const started = spawnChild({
      command: [
        ...['redis-server', '--port', `${port}`, '--bind', '127.0.0.1', '--dir', home, '--save', ''],
        ...['--databases', `${databases}`],
        ...(appendonly ? ['--appendonly', 'yes', '--appendfsync', 'always'] : []),
        ...args,
      ],
      env,
      output: { file: log },
    })
    server = started
    try {
      await until(
        async () => {
          const { alive } = started
          if ((await send('PING')) === 'PONG') return true
          if (!alive) throw new Impossible(`Redis did not start: ${await Bun.file(log).text()}`)
          return false
        },
        { what: 'Redis to start', timeoutMs: startTimeoutMs, intervalMs: 20 },
      )
    } catch (error) {
      await kill()
      throw error
    }
  }

  const send = async (...words: string[]): Promise<string> =>
    (await runCommand(['redis-cli', '-p', `${port}`, ...words])).stdout.trim()

  async function kill(): Promise<void> {
    const ending = server
    server = undefined
    await ending?.kill()
  }

  await start()
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    get pid() {
      return server?.pid ?? 0
    },
    directory: home,
    start,
    kill,
    signal: (name) => server?.signal(name),
    send,
    flush: async () => void (await send('FLUSHALL')),
    async remove() {
      await kill()
      await rm(home, { recursive: true, force: true })
    },
  }
}
