import { chmod, cp, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runCommand, runSuccessfully } from '../../support/command.ts'
import { root } from '../../support/root.ts'

/** One call of make by a workflow. */
export interface Step {
  readonly job: string
  readonly target: string
  /** The variables that workflows set for their steps. */
  readonly env: Readonly<Record<string, string>>
}

export interface WorkflowRun {
  readonly exitCode: number
  readonly steps: readonly Step[]
  /** The targets of one job, or of all, in order. */
  targets(job?: string): string[]
  /** The output of act. */
  readonly output: string
}

export interface WorkflowOptions {
  readonly workflow: string
  readonly event: 'push' | 'pull_request' | 'schedule' | 'workflow_dispatch'
  readonly payload?: object
  readonly inputs?: Readonly<Record<string, string>>
  readonly secrets?: Readonly<Record<string, string>>
  /** A target that fails. */
  readonly fail?: string
  /** The output of `deploy-preflight`. */
  readonly ready?: boolean
}

/** Runs this project's workflows on act: jobs run on this machine, with stand-ins for make and the actions. */
export interface Rehearsal extends AsyncDisposable {
  run(options: WorkflowOptions): Promise<WorkflowRun>
}

const variables = [
  'IMAGE',
  'IMAGES',
  'TAG',
  'PART',
  'ARCH',
  'ROUNDS',
  'OVERLAY',
  'DEPLOY_ENVIRONMENT',
  'SCAN_REQUIRED',
  'QUICK',
]
/** Like the real targets: the outputs for later steps and jobs. */
const make = `#!/bin/bash
line=$GITHUB_JOB$'\\t'$1
for name in ${variables.join(' ')}; do line+=$'\\t'$name=\${!name}; done
echo "$line" >> "$REHEARSAL_LOG"
[[ $1 != "$REHEARSAL_FAIL" ]] || exit 1
case $1 in
  image-push) echo "image=ghcr.io/example/tally@sha256:$ARCH" >> "$GITHUB_OUTPUT" ;;
  image-index)
    echo "image=ghcr.io/example/tally@sha256:index" >> "$GITHUB_OUTPUT"
    echo "digest=sha256:index" >> "$GITHUB_OUTPUT" ;;
  deploy-preflight) echo "ready=$REHEARSAL_READY" >> "$GITHUB_OUTPUT" ;;
esac
`
const action = `name: stand-in
description: does nothing
runs:
  using: composite
  steps:
    - run: "true"
      shell: bash
`

/** Creates a repository with only the workflows. */
export async function openRehearsal(): Promise<Rehearsal> {
  const folder = await mkdtemp(join(tmpdir(), 'tally-workflows-'))
  const repository = join(folder, 'repository')
  await mkdir(repository)
  await cp(join(root, '.github/workflows'), join(repository, '.github/workflows'), { recursive: true })
  await Bun.write(join(folder, 'bin/make'), make)
  await chmod(join(folder, 'bin/make'), 0o755)
  await Bun.write(join(folder, 'action/action.yml'), action)
  const git = (...words: string[]): Promise<string> => runSuccessfully(['git', '-C', repository, ...words])
  await git('init', '--quiet', '--initial-branch=main')
  await git('remote', 'add', 'origin', 'https://github.com/example/tally')
  await git('add', '--all')
  await git(
    '-c',
    'user.name=Rehearsal',
    '-c',
    'user.email=rehearsal@example.com',
    'commit',
    '--quiet',
    '--message=x',
  )
  await git('tag', 'v1.2.3')
  const standIns = await actionsOf(repository)
  let runs = 0
  return {
    async run({ workflow, event, payload = {}, inputs = {}, secrets = {}, fail = '', ready = true }) {
      const log = join(folder, `steps-${++runs}`)
      await Bun.write(log, '')
      const eventFile = join(folder, `event-${runs}.json`)
      await Bun.write(
        eventFile,
        JSON.stringify({ ...payload, inputs, repository: { full_name: 'example/tally' } }),
      )
      const { exitCode, output } = await runCommand(
        [
          ...[join(root, '.tools/bin/act'), event, '--workflows', `.github/workflows/${workflow}`],
          ...['--eventpath', eventFile, '--no-cache-server', '--container-daemon-socket', '-'],
          ...['ubuntu-24.04', 'ubuntu-24.04-arm'].flatMap((label) => ['--platform', `${label}=-self-hosted`]),
          ...standIns.flatMap((name) => ['--local-repository', `${name}=${join(folder, 'action')}`]),
          ...Object.entries(inputs).flatMap(([name, value]) => ['--input', `${name}=${value}`]),
          ...Object.entries(secrets).flatMap(([name, value]) => ['--secret', `${name}=${value}`]),
          ...['--env', `REHEARSAL_LOG=${log}`, '--env', `REHEARSAL_FAIL=${fail}`],
          ...['--env', `REHEARSAL_READY=${ready}`],
        ],
        {
          cwd: repository,
          env: {
            ...process.env,
            PATH: `${join(folder, 'bin')}:${process.env.PATH}`,
            HOME: join(folder, 'home'),
          },
        },
      )
      const steps = parseSteps(await Bun.file(log).text())
      return {
        exitCode,
        steps,
        output,
        targets: (job) =>
          steps.flatMap((step) => (job === undefined || step.job === job ? [step.target] : [])),
      }
    },
    async [Symbol.asyncDispose]() {
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function parseSteps(log: string): Step[] {
  return log
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [job = '', target = '', ...rest] = line.split('\t')
      const env = rest.map((each) => each.split(/=(.*)/s, 2) as [string, string])
      return { job, target, env: Object.fromEntries(env.filter(([, value]) => value !== '')) }
    })
}

/** `owner/name@commit` of each action that a workflow uses. */
async function actionsOf(repository: string): Promise<string[]> {
  const names = new Set<string>()
  for (const path of new Bun.Glob('.github/workflows/*.yaml').scanSync({ cwd: repository, dot: true })) {
    const text = await Bun.file(join(repository, path)).text()
    for (const [, name, commit] of text.matchAll(/uses: ([\w-]+\/[\w-]+)(?:\/[\w/-]+)?@([0-9a-f]{40})/g))
      names.add(`${name}@${commit}`)
  }
  return [...names]
}
