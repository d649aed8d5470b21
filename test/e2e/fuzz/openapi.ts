/**
 * Runs schemathesis, with all its checks, against a running service and its OpenAPI document: `bun
 * test/e2e/fuzz/openapi.ts`, `make fuzz`. `FUZZ_SECONDS` (120), `SEED` (1). Needs Python 3.10 with pip 22.3.
 * Installs schemathesis into .tools/ as pinned in test/e2e/fuzz/requirements.txt.
 *
 * Without Python or pip it prints that and succeeds; in CI it fails.
 */
import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { startService } from '../../support/service.ts'

const seconds = process.env.FUZZ_SECONDS ?? '120'
const seed = process.env.SEED ?? '1'
const root = resolve(import.meta.dir, '../../..')

const schemathesis = await install()
if (schemathesis === null) {
  console.log('Skipped: no python3 with pip 22.3 on the PATH, which schemathesis needs')
  process.exit(process.env.CI ? 1 : 0)
}
const service = await startService({ env: { ACCESS_LOG: 'false', DRAIN_QUIET: '1s' } })
const exitCode = await Bun.spawn(
  [
    schemathesis,
    `--config-file=${join(import.meta.dir, 'schemathesis.toml')}`,
    'run',
    `${service.url}/openapi.json`,
    '--checks=all',
    `--seed=${seed}`,
    `--max-time=${seconds}`,
    '--no-color',
  ],
  // schemathesis loads the hooks from here and stores its cache in the working directory.
  {
    cwd: await workingDirectory(),
    stdin: 'ignore',
    stdout: 'inherit',
    stderr: 'inherit',
    env: environment(),
  },
).exited
const ended = await service.stop()
await service[Symbol.asyncDispose]()
if (ended !== 0) console.error(`The service ended with ${ended} and not in order`)
process.exit(exitCode === 0 && ended === 0 ? 0 : 1)

/** The command, installed if necessary; null without Python. */
async function install(): Promise<string | null> {
  const environmentDirectory = join(root, '.tools/schemathesis')
  const command = join(environmentDirectory, 'bin/schemathesis')
  const requirementsFile = join(import.meta.dir, 'requirements.txt')
  const requirements = await Bun.file(requirementsFile).text()
  const installed = Bun.file(join(environmentDirectory, 'requirements.txt'))
  if ((await installed.exists()) && (await installed.text()) === requirements) return command
  const python = Bun.which('python3')
  if (python === null || !succeeds([python, '-m', 'pip', `--python=${python}`, '--version'], 'ignore'))
    return null
  const pip = [
    python,
    '-m',
    'pip',
    '--quiet',
    '--disable-pip-version-check',
    `--python=${environmentDirectory}`,
  ]
  if (
    // Installing pip there, and compiling every module, would take more time than the rest.
    !succeeds([python, '-m', 'venv', '--clear', '--without-pip', environmentDirectory]) ||
    !succeeds([...pip, 'install', '--no-compile', `--requirement=${requirementsFile}`])
  )
    throw new Error('schemathesis cannot be installed')
  await Bun.write(installed, requirements)
  return command
}

function succeeds(command: string[], output: 'inherit' | 'ignore' = 'inherit'): boolean {
  return Bun.spawnSync(command, { stdin: 'ignore', stdout: output, stderr: output }).exitCode === 0
}

async function workingDirectory(): Promise<string> {
  const directory = join(root, 'reports/schemathesis')
  await mkdir(directory, { recursive: true })
  return directory
}

function environment(): Record<string, string | undefined> {
  return { ...process.env, SCHEMATHESIS_HOOKS: join(import.meta.dir, 'hooks.py') }
}
