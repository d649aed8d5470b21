import { loggingSuffix, type Target } from './targets.ts'

/**
 * A server in another framework or language. Its sources are in `peers/`, its build output in `dist/peers/`. It has its
 * own lock file.
 */
interface Peer {
  readonly name: string
  readonly folder: string
  /** Programs on the PATH that build and run it. */
  readonly requires: readonly string[]
  /** Commands to run in order in the peer's folder. */
  readonly build: (output: string) => readonly (readonly string[])[]
  readonly command: (output: string) => readonly string[]
}

/** The peers that this machine can build, each without and with an access log; and the skipped ones with reasons. */
export interface BuiltPeers {
  readonly targets: readonly Target[]
  readonly logging: readonly Target[]
  readonly leftOut: readonly string[]
}

const bun = process.execPath
const root = new URL('..', import.meta.url).pathname

/** Copies the lock file next to the bundle: the bundle resolves its packages from there. */
const copyPackages = (output: string, lock: string): readonly string[] => ['cp', 'package.json', lock, output]

const bundle = (source: string, output: string, target: string): readonly string[] => [
  bun,
  'build',
  `--target=${target}`,
  '--packages=external',
  `--outfile=${output}/server.js`,
  source,
]

const peers: readonly Peer[] = [
  {
    name: 'Hono',
    folder: 'hono',
    requires: [],
    build: (output) => [
      copyPackages(output, 'bun.lock'),
      [bun, 'install', '--frozen-lockfile', `--cwd=${output}`],
      bundle('server.ts', output, 'bun'),
    ],
    command: (output) => [bun, `${output}/server.js`],
  },
  {
    name: 'Fastify',
    folder: 'fastify',
    requires: ['node', 'npm'],
    build: (output) => [
      copyPackages(output, 'package-lock.json'),
      ['npm', 'ci', '--no-audit', '--no-fund', '--prefix', output],
      bundle('server.js', output, 'node'),
    ],
    command: (output) => ['node', `${output}/server.js`],
  },
  {
    name: 'Go net/http',
    folder: 'go',
    requires: ['go'],
    build: (output) => [['go', 'build', '-o', `${output}/server`, '.']],
    command: (output) => [`${output}/server`],
  },
  {
    name: 'axum',
    folder: 'axum',
    requires: ['cargo', 'rustc'],
    build: (output) => [['cargo', 'build', '--release', '--locked', '--target-dir', output]],
    command: (output) => [`${output}/release/tally-bench-axum`],
  },
  {
    name: 'FastAPI',
    folder: 'fastapi',
    requires: ['python3'],
    build: (output) => [
      ['python3', '-m', 'venv', output],
      [`${output}/bin/pip`, 'install', '--quiet', '--disable-pip-version-check', '-r', 'requirements.txt'],
    ],
    command: (output) => [`${output}/bin/python`, `${root}bench/peers/fastapi/main.py`],
  },
]

/** Peers that build within seconds, even the first time. */
const quickPeers = ['Hono', 'Go net/http']

/**
 * The peers that the environment selects: `PEERS=axum,Hono` by name, or `PEERS=all`. Default: all; with QUICK=1 only
 * those that build quickly.
 */
export function selectPeers(env: Readonly<Record<string, string | undefined>>): readonly string[] {
  const all = peers.map(({ name }) => name)
  const names = env.PEERS?.split(',').map((name) => name.trim())
  if (names === undefined) return env.QUICK === '1' ? quickPeers : all
  return names.includes('all') ? all : names
}

/** Builds the selected peers whose toolchain is installed. Builds are incremental. */
export async function buildPeers(
  selected: readonly string[],
  progress: (message: string) => void,
): Promise<BuiltPeers> {
  const built: Target[] = []
  const leftOut: string[] = []
  for (const peer of peers) {
    if (!selected.includes(peer.name)) {
      leftOut.push(`${peer.name}: not selected`)
      continue
    }
    progress(`building ${peer.name}`)
    try {
      built.push(await build(peer))
    } catch (error) {
      leftOut.push(`${peer.name}: ${error instanceof Error ? error.message : error}`)
    }
  }
  return {
    targets: built.map((target) => ({ ...target, env: { ACCESS_LOG: 'false' } })),
    logging: built.map((target) => ({
      ...target,
      name: `${target.name}${loggingSuffix}`,
      env: { ACCESS_LOG: 'true' },
    })),
    leftOut,
  }
}

async function build({ name, folder, requires, build, command }: Peer): Promise<Target> {
  const missing = requires.filter((program) => Bun.which(program) === null)
  if (missing.length > 0) throw new Error(`${missing.join(', ')} not found`)
  const output = `${root}dist/peers/${folder}`
  await Bun.$`mkdir -p ${output}`
  for (const step of build(output)) {
    const process = Bun.spawn([...step], {
      cwd: `${root}bench/peers/${folder}`,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    const errors = await process.stderr.text()
    if ((await process.exited) !== 0)
      throw new Error(`\`${step.slice(0, 2).join(' ')}\` failed: ${lastLine(errors)}`)
  }
  return { name, command: command(output) }
}

function lastLine(text: string): string {
  return text.trimEnd().split('\n').at(-1) ?? ''
}
