import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from './free-ports.ts'

/** How long a start may take on a loaded machine, in ms. */
const startMsMax = 30_000

export interface RedisServerOptions {
  /** Whether it keeps an append-only file, on the disk before a write is confirmed. Default true. */
  readonly appendonly?: boolean
}

/** A real Redis server of the test's own: on a free loopback port, in a temporary directory. */
export interface RedisServer {
  readonly url: string
  readonly port: number
  readonly pid: number
  /** Starts it again after `kill`, on the same port with the same files; resolves when it answers. */
  start(): Promise<void>
  /** kill -9. */
  kill(): Promise<void>
  signal(name: NodeJS.Signals): void
  /** Deletes everything that is in it. */
  flush(): Promise<void>
  /** Ends it and deletes its files. */
  remove(): Promise<void>
}

/**
 * Whether the tests on Redis can run here. Without the program they are left out with a line that says so; in CI
 * (`CI=true`) that is a failure instead, so that a broken image cannot pass by testing nothing.
 *
 * @throws Error in CI when Redis is absent
 */
export function haveRedis(): boolean {
  if (Bun.which('redis-server') !== null) return true
  const message = 'Redis is not installed (redis-server): the tests on a real server are left out'
  if (process.env.CI === 'true') throw new Error(`${message}, which CI does not accept`)
  console.warn(message)
  return false
}

/** @throws Error when the server does not come up; its own words are in the message */
export async function startRedis({ appendonly = true }: RedisServerOptions = {}): Promise<RedisServer> {
  const home = await mkdtemp(join(tmpdir(), 'tally-redis-'))
  const port = freePort()
  const log = join(home, 'server.log')
  let server: Bun.Subprocess | undefined

  async function start(): Promise<void> {
    const started = Bun.spawn({
      cmd: [
        ...['redis-server', '--port', `${port}`, '--bind', '127.0.0.1', '--dir', home, '--save', ''],
        ...(appendonly ? ['--appendonly', 'yes', '--appendfsync', 'always'] : []),
      ],
      stdout: Bun.file(log),
      stderr: Bun.file(log),
    })
    server = started
    const deadline = Date.now() + startMsMax
    while (!(await answers())) {
      if (started.exitCode !== null || Date.now() > deadline) {
        await kill()
        throw new Error(`Redis did not start: ${await Bun.file(log).text()}`)
      }
      await Bun.sleep(20)
    }
  }

  const say = async (...cmd: string[]): Promise<string> =>
    await new Response(
      Bun.spawn({ cmd: ['redis-cli', '-p', `${port}`, ...cmd], stdout: 'pipe', stderr: 'ignore' }).stdout,
    ).text()
  const answers = async (): Promise<boolean> => (await say('PING')).trim() === 'PONG'

  async function kill(): Promise<void> {
    const ending = server
    server = undefined
    ending?.kill('SIGKILL')
    await ending?.exited
  }

  await start()
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    get pid() {
      return server?.pid ?? 0
    },
    start,
    kill,
    signal: (name) => server?.kill(name),
    flush: async () => void (await say('FLUSHALL')),
    async remove() {
      await kill()
      await rm(home, { recursive: true, force: true })
    },
  }
}
