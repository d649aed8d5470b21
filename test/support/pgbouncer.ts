import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { spawnChild } from './child-process.ts'
import { freePort } from './free-ports.ts'
import type { PostgresServer } from './postgres.ts'
import { hasProgram } from './programs.ts'
import { Impossible, until } from './until.ts'

export interface PgBouncerOptions {
  /** When a client releases its server session: at its end, or after each transaction. */
  readonly mode: 'session' | 'transaction'
  /** Additional lines of its configuration. */
  readonly settings?: readonly string[]
}

/** A real PgBouncer on a free loopback port, in front of a PostgreSQL server. */
export interface PgBouncer {
  /** The server's URL through the pooler. */
  readonly url: string
  remove(): Promise<void>
}

/** The account `nobody`, because PgBouncer refuses to run as root. */
const unprivilegedId = 65_534

/** Whether the tests on PgBouncer can run here. */
export function havePgBouncer(): boolean {
  return hasProgram('pgbouncer', 'pgbouncer')
}

/** @throws Error with its message if it does not start */
export async function startPgBouncer(
  server: PostgresServer,
  { mode, settings = [] }: PgBouncerOptions,
): Promise<PgBouncer> {
  const home = await mkdtemp(join(tmpdir(), 'tally-pgbouncer-'))
  const isRoot = process.getuid?.() === 0
  const port = freePort()
  const config = join(home, 'pgbouncer.ini')
  const users = join(home, 'users.txt')
  await writeFile(users, `"tally" "${server.password}"\n`, { mode: 0o600 })
  await writeFile(
    config,
    [
      ...['[databases]', `tally = host=127.0.0.1 port=${server.port}`],
      ...['[pgbouncer]', 'listen_addr = 127.0.0.1', `listen_port = ${port}`, 'unix_socket_dir ='],
      ...['auth_type = scram-sha-256', `auth_file = ${users}`, `pool_mode = ${mode}`],
      ...['default_pool_size = 20', 'server_login_retry = 0', ...settings, ''],
    ].join('\n'),
  )
  await chmod(home, 0o755)
  if (isRoot) await chown(users, unprivilegedId, unprivilegedId)
  const user = ['setpriv', `--reuid=${unprivilegedId}`, `--regid=${unprivilegedId}`, '--clear-groups', '--']
  const log = join(home, 'log')
  const child = spawnChild({
    command: [...(isRoot ? user : []), 'pgbouncer', config],
    output: { file: log },
  })
  const remove = async () => {
    await child.kill()
    await rm(home, { recursive: true, force: true })
  }
  try {
    await until(
      async () => {
        if (!child.alive)
          throw new Impossible(`PgBouncer did not start: ${await Bun.file(`${log}.err`).text()}`)
        // Rejects until it listens.
        const connection = await Bun.connect({ hostname: '127.0.0.1', port, socket: { data() {} } })
        connection.end()
        return true
      },
      { what: 'PgBouncer to listen', intervalMs: 20 },
    )
  } catch (error) {
    await remove()
    throw error
  }
  return { url: server.url.replace(`:${server.port}/`, `:${port}/`), remove }
}
