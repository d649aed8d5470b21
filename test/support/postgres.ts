import { existsSync, readdirSync } from 'node:fs'
import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { PostgresPoolOptions } from '../../src/database/postgres/pool.ts'
import { type Child, spawnChild } from './child-process.ts'
import { runSuccessfully } from './command.ts'
import { freePort } from './free-ports.ts'
import { hasProgram } from './programs.ts'
import { Impossible, until } from './until.ts'

/** An empty database on a real PostgreSQL server. */
export interface PostgresDatabase {
  /** `postgres://` URL with user and password. The user owns the database and is a superuser. */
  readonly url: string
  readonly password: string
  /** Runs SQL through psql and returns its trimmed output. */
  psql(statement: string): Promise<string>
  /** Deletes the database. */
  remove(): Promise<void>
}

/** A separate server for one test, which it may stop and crash: on a free loopback port, fsync on, one database. */
export interface PostgresServer extends PostgresDatabase {
  readonly port: number
  /** Restarts it after `stop` or `crash`, on the same port with the same files; resolves when it responds. */
  start(): Promise<void>
  /** The fast shutdown: ends open connections and writes everything to disk. */
  stop(): Promise<void>
  /** The immediate shutdown: without a checkpoint, so the next start performs crash recovery. */
  crash(): Promise<void>
  /** Restarts it as a read-only hot standby, until `select pg_promote()`. */
  startAsStandby(): Promise<void>
}

/** Time limits of a pool for tests of other things: a loaded machine must not reach them. */
export const patientPool = {
  connectTimeoutMs: 20_000,
  statementTimeoutMs: 20_000,
  callTimeoutMs: 25_000,
  waitTimeoutMs: 25_000,
} satisfies PostgresPoolOptions

/** The server that a test run shares with its files: see tools/test.ts. */
export const templateVariable = 'TEST_POSTGRES_TEMPLATE'
export const serverVariable = 'TEST_POSTGRES_URL'

/** The password of a run's servers. Random, because a test searches for it where it must not appear. */
const passwordFile = 'password'
/** How long a start may take on a loaded machine, in ms. */
const startTimeoutMs = 30_000
const maxStartAttempts = 5

const binaries = findBinaries()

/** Whether the tests on PostgreSQL can run here. */
export function havePostgres(): boolean {
  return hasProgram('postgres', 'postgresql', binaries !== undefined)
}

/**
 * Creates a database on the server of the test run. If a test file runs alone, starts a new server that ends with the
 * database.
 */
export async function createPostgresDatabase(): Promise<PostgresDatabase> {
  const serverUrl = process.env[serverVariable]
  if (serverUrl === undefined) return await startPostgres()
  const name = `test_${crypto.randomUUID().replaceAll('-', '')}`
  await psqlAt(serverUrl, `create database ${name}`)
  const url = Object.assign(new URL(serverUrl), { pathname: `/${name}` }).href
  return {
    url,
    password: new URL(url).password,
    psql: (statement) => psqlAt(url, statement),
    remove: async () => void (await psqlAt(serverUrl, `drop database ${name} with (force)`)),
  }
}

/**
 * Starts a server on a copy of the run's empty cluster, or on a new one. Logins need the password (SCRAM), like in
 * production.
 *
 * @throws Error with the server's message if it does not start
 */
export async function startPostgres(): Promise<PostgresServer> {
  const home = await mkdtemp(join(tmpdir(), 'tally-postgres-'))
  try {
    const template = process.env[templateVariable]
    if (template === undefined) await createPostgresCluster(home)
    else await runSuccessfully(['cp', '--archive', '--reflink=auto', `${template}/.`, home])
    return await serve(home)
  } catch (error) {
    await rm(home, { recursive: true, force: true })
    throw error
  }
}

/** Creates an empty cluster, with its password, in a folder. */
export async function createPostgresCluster(home: string): Promise<void> {
  const account = await unprivilegedAccount()
  await writeFile(join(home, passwordFile), `secret-${crypto.randomUUID()}`, { mode: 0o600 })
  if (account !== undefined)
    for (const path of [home, join(home, passwordFile)]) await chown(path, account.uid, account.gid)
  await runSuccessfully(
    asAccount(account, [
      ...[
        program('initdb'),
        '--pgdata',
        join(home, 'data'),
        '--username=tally',
        '--encoding=UTF8',
        '--locale=C',
      ],
      ...['--auth=scram-sha-256', `--pwfile=${join(home, passwordFile)}`],
      // Small segments, so that a crash or a stop writes little. Only creating the cluster skips fsync.
      ...['--wal-segsize=1', '--no-sync'],
    ]),
    { cwd: home, env: { ...process.env, LC_ALL: 'C' }, timeoutMs: startTimeoutMs },
  )
  // The server's account must be able to reach its folder through that of the run.
  await chmod(home, 0o700)
}

async function serve(home: string): Promise<PostgresServer> {
  const account = await unprivilegedAccount()
  const password = await Bun.file(join(home, passwordFile)).text()
  const log = join(home, 'server.log')
  let port = 0
  let server: Child | undefined
  const urlOf = (database: string) => `postgres://tally:${password}@127.0.0.1:${port}/${database}`
  // Through the socket in its own folder, because the port may belong to another server.
  const psql = (statement: string, database = 'tally') => psqlAt(urlOf(database), statement, ['-h', home])

  async function start(): Promise<void> {
    if (server !== undefined) return
    const started = spawnChild({
      command: asAccount(account, [
        ...[program('postgres'), '-D', join(home, 'data'), '-p', `${port}`, '-k', home, '-h', '127.0.0.1'],
        ...['-c', 'fsync=on', '-c', 'synchronous_commit=on', '-c', 'max_connections=100'],
        ...['-c', 'wal_init_zero=off', '-c', 'wal_recycle=off', '-c', 'min_wal_size=2MB'],
      ]),
      cwd: home,
      output: { file: log },
    })
    server = started
    try {
      await until(
        async () => {
          const { alive } = started
          if ((await psql('select 1', 'postgres').catch((error) => alive && Promise.reject(error))) === '1')
            return true
          throw new Impossible(`PostgreSQL did not start: ${await Bun.file(`${log}.err`).text()}`)
        },
        { what: 'PostgreSQL to start', timeoutMs: startTimeoutMs, intervalMs: 20 },
      )
    } catch (error) {
      await end('SIGQUIT')
      throw error
    }
  }

  async function end(signal: 'SIGINT' | 'SIGQUIT'): Promise<void> {
    const ending = server
    server = undefined
    ending?.signal(signal)
    await ending?.exited
  }

  /** The port stays the same for the server's life; another process may take it just before the first start. */
  async function startOnFreePort(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      port = freePort()
      try {
        return await start()
      } catch (error) {
        if (attempt === maxStartAttempts) throw error
      }
    }
  }

  await startOnFreePort()
  await psql('create database tally', 'postgres')
  return {
    url: urlOf('tally'),
    port,
    password,
    start,
    stop: () => end('SIGINT'),
    crash: () => end('SIGQUIT'),
    async startAsStandby() {
      await end('SIGINT')
      await writeFile(join(home, 'data', 'standby.signal'), '')
      if (account !== undefined) await chown(join(home, 'data', 'standby.signal'), account.uid, account.gid)
      await start()
    },
    psql: (statement) => psql(statement),
    async remove() {
      await end('SIGQUIT')
      await rm(home, { recursive: true, force: true })
    },
  }
}

function psqlAt(url: string, statement: string, connection: readonly string[] = []): Promise<string> {
  const { hostname, port, password, pathname } = new URL(url)
  return runSuccessfully(
    [
      ...[program('psql'), '-XAtq', '-v', 'ON_ERROR_STOP=1', '-U', 'tally', '-h', hostname, '-p', port],
      ...['-d', pathname.slice(1), ...connection, '-c', statement],
    ],
    {
      cwd: tmpdir(),
      env: { PATH: process.env.PATH, PGPASSWORD: password, PGCONNECT_TIMEOUT: '5', LC_ALL: 'C' },
      timeoutMs: startTimeoutMs,
    },
  )
}

const program = (name: string): string => join(binaries ?? '', name)

/** The location of PostgreSQL's programs: the newest of Debian's version folders, or the PATH. */
function findBinaries(): string | undefined {
  const debian = '/usr/lib/postgresql'
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : []
  const onPath = Bun.which('initdb')
  return [
    ...versions.map((version) => join(debian, version, 'bin')),
    ...(onPath ? [join(onPath, '..')] : []),
  ].find((folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres')))
}

interface Account {
  readonly uid: number
  readonly gid: number
}

/** PostgreSQL refuses to run as root, so use Debian's own account or `nobody`. */
async function unprivilegedAccount(): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined
  const accounts = (await Bun.file('/etc/passwd').text()).split('\n').map((line) => line.split(':'))
  const account =
    accounts.find(([name]) => name === 'postgres') ?? accounts.find(([name]) => name === 'nobody')
  if (account === undefined)
    throw new Error('running as root requires an account named "postgres" or "nobody"')
  return { uid: Number(account[2]), gid: Number(account[3]) }
}

function asAccount(account: Account | undefined, command: readonly string[]): string[] {
  if (account === undefined) return [...command]
  return ['setpriv', `--reuid=${account.uid}`, `--regid=${account.gid}`, '--clear-groups', '--', ...command]
}
