import { loggingSuffix, type Target } from './targets.ts'

/**
 * A server in another framework or language: its sources are in `peers/`, what is made of them in `dist/peers/`.
 * Versions stand in lock files of its own, apart from Tally's.
 */
interface Peer {
  readonly name: string
  readonly folder: string
  /** Programs that must be on the path to build and run it. */
  readonly needs: readonly string[]
  /** Run one after another in the peer's own folder. */
  readonly build: (output: string) => readonly (readonly string[])[]
  readonly command: (output: string) => readonly string[]
}

/** The peers that this machine can build, each without and with an access log; and why not, for the others. */
export interface BuiltPeers {
  readonly targets: readonly Target[]
  readonly logging: readonly Target[]
  readonly leftOut: readonly string[]
}

const bun = process.execPath
const root = new URL('..', import.meta.url).pathname

/** Installs from a lock file beside a bundle, for that is where the bundle looks for its packages. */
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
    needs: [],
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
    needs: ['node', 'npm'],
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
    needs: ['go'],
    build: (output) => [['go', 'build', '-o', `${output}/server`, '.']],
    command: (output) => [`${output}/server`],
  },
  {
    name: 'axum',
    folder: 'axum',
    needs: ['cargo', 'rustc'],
    build: (output) => [['cargo', 'build', '--release', '--locked', '--target-dir', output]],
    command: (output) => [`${output}/release/tally-bench-axum`],
  },
  {
    name: 'FastAPI',
    folder: 'fastapi',
    needs: ['python3'],
    build: (output) => [
      ['python3', '-m', 'venv', output],
      [`${output}/bin/pip`, 'install', '--quiet', '--disable-pip-version-check', '-r', 'requirements.txt'],
    ],
    command: (output) => [`${output}/bin/python`, `${root}bench/peers/fastapi/main.py`],
  },
]

/** Those that are there in seconds also the first time. */
const quickPeers = ['Hono', 'Go net/http']

/**
 * The peers that the environment asks for: `PEERS=axum,Hono` by name, `PEERS=all`; with QUICK=1 those that are built
 * quickly, else all.
 */
export function wantedPeers(env: Readonly<Record<string, string | undefined>>): readonly string[] {
  const all = peers.map(({ name }) => name)
  const asked = env.PEERS?.split(',').map((name) => name.trim())
  if (asked === undefined) return env.QUICK === '1' ? quickPeers : all
  return asked.includes('all') ? all : asked
}

/** Builds those of the peers whose toolchain is there. What is built already is only brought up to date. */
export async function buildPeers(
  wanted: readonly string[],
  progress: (message: string) => void,
): Promise<BuiltPeers> {
  const built: Target[] = []
  const leftOut: string[] = []
  for (const peer of peers) {
    if (!wanted.includes(peer.name)) {
      leftOut.push(`${peer.name}: not asked for`)
      continue
    }
    progress(`builds ${peer.name}`)
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

async function build({ name, folder, needs, build, command }: Peer): Promise<Target> {
  const missing = needs.filter((program) => Bun.which(program) === null)
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
