import { existsSync, readdirSync } from 'node:fs'
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from './free-ports.ts'

/** How long initdb, a start or a stop may take on a loaded machine before the test gives up. */
const STEP_MS_MAX = 30_000
const PORTS_TRIED_MAX = 5
const ROOT = 0

/** A real PostgreSQL server of the test's own: on a free loopback port, in a temporary directory, fsync on. */
export interface PostgresServer {
  /** `postgres://` URL with user and password of the one database, `tally`. */
  readonly url: string
  readonly port: number
  readonly password: string
  /** Starts it again after `stop` or `crash`, on the same port with the same files; resolves when it answers. */
  start(): Promise<void>
  /** The fast shutdown: open connections are ended, everything is on disk. */
  stop(): Promise<void>
  /** The immediate shutdown: no checkpoint, no farewell; the next start goes through crash recovery. */
  crash(): Promise<void>
  /** Runs SQL as the owner, through psql, and gives what it printed, trimmed. */
  psql(statement: string): Promise<string>
  /** Stops it and deletes its files. */
  remove(): Promise<void>
}

/**
 * Where PostgreSQL's programs are: the newest of Debian's version directories, or the search path.
 *
 * @returns the directory, or undefined when the machine has no PostgreSQL
 */
function postgresBinaries(): string | undefined {
  const debian = '/usr/lib/postgresql'
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : []
  const onPath = Bun.which('initdb')
  return [
    ...versions.map((version) => join(debian, version, 'bin')),
    ...(onPath ? [join(onPath, '..')] : []),
  ].find((directory) => existsSync(join(directory, 'initdb')) && existsSync(join(directory, 'postgres')))
}

/**
 * Whether the tests on PostgreSQL can run here. Without the programs they are left out with a line that says so;
 * in CI (`CI=true`) that is a failure instead, so that a broken image cannot pass by testing nothing.
 *
 * @throws Error in CI when PostgreSQL is absent
 */
export function havePostgres(): boolean {
  if (postgresBinaries() !== undefined) return true
  const message = 'PostgreSQL is not installed (initdb, postgres): the tests on a real server are left out'
  if (process.env.CI === 'true') throw new Error(`${message}, which CI does not accept`)
  console.warn(message)
  return false
}

/**
 * Makes a cluster in a temporary directory and starts it. Sign-in needs the password (SCRAM), as in production, so a
 * test can also look for it where it must not appear.
 *
 * @throws Error when initdb or the server does not come up; the server's own words are in the message
 */
export async function startPostgres(): Promise<PostgresServer> {
  const binaries = postgresBinaries()
  if (binaries === undefined) throw new Error('PostgreSQL is not installed')
  const account = await unprivilegedAccount()
  const home = await mkdtemp(join(tmpdir(), 'tally-postgres-'))
  const data = join(home, 'data')
  const password = `secret-${crypto.randomUUID()}`
  const passwordFile = join(home, 'password')
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600 })
  if (account) {
    await chown(home, account.uid, account.gid)
    await chown(passwordFile, account.uid, account.gid)
  }
  const asAccount = account
    ? ['setpriv', `--reuid=${account.uid}`, `--regid=${account.gid}`, '--clear-groups', '--']
    : []

  // Only the making of the empty cluster skips fsync; the server below runs with it.
  await succeed([
    ...asAccount,
    ...[join(binaries, 'initdb'), '--pgdata', data, '--username=tally', '--encoding=UTF8', '--locale=C'],
    ...['--auth=scram-sha-256', `--pwfile=${passwordFile}`, '--no-sync'],
  ])

  let port = 0
  let server: ReturnType<typeof Bun.spawn> | undefined

  async function psql(statement: string, database = 'tally'): Promise<string> {
    // Through the socket in our own directory: whoever else may listen on the port, this is our server.
    const connection = ['-h', home, '-p', `${port}`, '-U', 'tally', '-d', database]
    return await succeed(
      [join(binaries as string, 'psql'), '-XAtq', '-v', 'ON_ERROR_STOP=1', ...connection, '-c', statement],
      { PGPASSWORD: password, PGCONNECT_TIMEOUT: '5' },
    )
  }

  async function start(): Promise<void> {
    if (server !== undefined) return
    const log = join(home, 'server.log')
    const started = Bun.spawn({
      cmd: [
        ...asAccount,
        ...[join(binaries as string, 'postgres'), '-D', data, '-p', `${port}`, '-k', home, '-h', '127.0.0.1'],
        ...['-c', 'fsync=on', '-c', 'synchronous_commit=on', '-c', 'max_connections=60'],
      ],
      cwd: home,
      stdout: Bun.file(log),
      stderr: Bun.file(log),
    })
    server = started
    const deadline = Date.now() + STEP_MS_MAX
    for (;;) {
      const answer = await psql('select 1', 'postgres').catch((error: Error) => error)
      if (answer === '1') return
      if (started.exitCode !== null || Date.now() > deadline) {
        await end('SIGQUIT')
        throw new Error(`PostgreSQL did not start: ${await Bun.file(log).text()}`, { cause: answer })
      }
      await Bun.sleep(20)
    }
  }

  async function end(signal: 'SIGINT' | 'SIGQUIT'): Promise<void> {
    const ending = server
    if (ending === undefined) return
    server = undefined
    ending.kill(signal)
    await ending.exited
  }

  /** The port stays the same for the server's life, so somebody may take it just before the first start. */
  async function startSomewhere(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      port = freePort()
      try {
        return await start()
      } catch (error) {
        if (attempt === PORTS_TRIED_MAX) throw error
      }
    }
  }

  try {
    await startSomewhere()
    await psql('create database tally', 'postgres')
  } catch (error) {
    await end('SIGQUIT')
    await rm(home, { recursive: true, force: true })
    throw error
  }
  return {
    url: `postgres://tally:${password}@127.0.0.1:${port}/tally`,
    port,
    password,
    start,
    stop: () => end('SIGINT'),
    crash: () => end('SIGQUIT'),
    psql: (statement) => psql(statement),
    async remove() {
      await end('SIGQUIT')
      await rm(home, { recursive: true, force: true })
    },
  }
}

/** PostgreSQL refuses to run as root; Debian's own account, or nobody, takes its place. */
async function unprivilegedAccount(): Promise<{ uid: number; gid: number } | undefined> {
  if (process.getuid?.() !== ROOT) return undefined
  const accounts = (await Bun.file('/etc/passwd').text()).split('\n').map((line) => line.split(':'))
  const account =
    accounts.find(([name]) => name === 'postgres') ?? accounts.find(([name]) => name === 'nobody')
  if (account === undefined)
    throw new Error('running as root, and neither postgres nor nobody is an account here')
  return { uid: Number(account[2]), gid: Number(account[3]) }
}

async function succeed(cmd: string[], env: Record<string, string> = {}): Promise<string> {
  const child = Bun.spawn({
    cmd,
    cwd: tmpdir(),
    env: { PATH: process.env.PATH ?? '', LC_ALL: 'C', ...env },
    stdout: 'pipe',
    stderr: 'pipe',
    timeout: STEP_MS_MAX,
  })
  const [output, errors, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  if (code !== 0) throw new Error(`${cmd.join(' ')} ended with ${code}: ${errors}`)
  return output.trim()
}
