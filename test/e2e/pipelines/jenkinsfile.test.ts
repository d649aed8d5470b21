import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runCommand } from '../../support/command.ts'
import { hasProgram } from '../../support/programs.ts'
import { root } from '../../support/root.ts'

// Runs the Jenkinsfile on a stand-in for Jenkins (tools/jenkinsfile/run.groovy): checks the order of steps, their
// conditions, and what follows a failure. Records commands without running them; make pipeline-rehearsal runs them.

/** A JVM that compiles Groovy on a machine that is busy with other tests. */
const timeoutMs = 300_000

interface Event {
  readonly stage: string
  readonly sh?: string
  readonly step?: string
  readonly skipped?: string
  readonly post?: string
  readonly failure?: string
  readonly result?: string
  readonly code?: number
  readonly env?: Readonly<Record<string, string>>
}

interface Build {
  readonly events: readonly Event[]
  readonly commands: readonly string[]
  readonly resultOf: (stage: string) => string | undefined
}

const haveJava = hasProgram('java', 'default-jre-headless')
let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tally-jenkinsfile-'))
  if (haveJava) await runAll()
}, timeoutMs)
afterAll(() => rm(folder, { recursive: true, force: true }))

const credentials = {
  'tally-registry': 'robot:secret',
  'tally-cosign-key': '/credentials/cosign.key',
  'tally-cosign-password': 'secret',
  'tally-cosign-public-key': '/credentials/cosign.pub',
  'tally-kubeconfig': '/credentials/kubeconfig',
}

/** All builds of the tests in one JVM, which takes longer to start than to run them. */
const runs = {
  whole: {},
  unchecked: { parameters: { CHECKS: 'false' } },
  pushed: { parameters: { CHECKS: 'false', DEPLOY: 'false' } },
  rolledBack: { parameters: { CHECKS: 'false' }, fail: 'make deployed-roll' },
  unsigned: { parameters: { CHECKS: 'false' }, fail: 'make verify' },
  broken: { fail: 'make ci PART=tests' },
  withoutCredential: { parameters: { CHECKS: 'false' }, credentials: { 'tally-registry': 'robot:secret' } },
} as const
type Name = keyof typeof runs
const builds = {} as Record<Name, Build>

async function runAll(): Promise<void> {
  const eventsOf = (name: string): string => join(folder, `${name}.jsonl`)
  const list = Object.entries(runs).map(([name, run]) => ({
    ...{ events: eventsOf(name), record: true, env: { BUILD_NUMBER: '7' }, credentials },
    ...run,
  }))
  await Bun.write(join(folder, 'runs.json'), JSON.stringify(list))
  const { output } = await runCommand(['tools/jenkinsfile.sh', 'run', join(folder, 'runs.json')], {
    // A developer's own cluster or registry would be in the environment of every step.
    env: { ...process.env, KUBECONFIG: undefined, REGISTRY_USER: undefined, COSIGN_KEY: undefined },
  })
  for (const name of Object.keys(runs) as Name[]) {
    const file = Bun.file(eventsOf(name))
    if (!(await file.exists())) throw new Error(output)
    const events: Event[] = (await file.text())
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    const resultOf = (stage: string) =>
      events.findLast((event) => event.stage === stage && event.result)?.result
    builds[name] = { events, commands: events.flatMap(({ sh }) => sh ?? []), resultOf }
  }
}

const deployment = [
  'make verify',
  'make deploy-image',
  'make deployed-conformance',
  'make deployed-load',
  'make deployed-roll',
]
const supplyChain = ['make registry-login', 'make image-push', 'make sbom', 'make scan', 'make sign']

describe.skipIf(!haveJava)('the Jenkinsfile', () => {
  test('runs from the commit to a rolled deployment, in order', () => {
    const { commands, events, resultOf } = builds.whole
    // The branches of a parallel stage come in any order.
    const inParallel = ['make image', 'make image-test-stage', 'make ci PART="static manifests"', 'make test']
    expect(commands).toEqual(expect.arrayContaining([...inParallel, 'make audit', 'make secrets']))
    expect(commands.slice(commands.indexOf('make ci PART=tests'))).toEqual([
      'make ci PART=tests',
      'make coverage-cobertura',
      ...supplyChain,
      ...deployment,
      'make cluster-logs',
      'make undeploy-build',
    ])
    expect(resultOf('pipeline')).toBe('SUCCESS')
    const published = events.flatMap(({ step }) => step ?? [])
    expect(published).toEqual(expect.arrayContaining(['junit', 'recordCoverage', 'archiveArtifacts']))
  })

  test('passes each credential only to the step that needs it', () => {
    const { events } = builds.unchecked
    const holders = (name: string): string[] => [
      ...new Set(events.flatMap(({ sh, env }) => (sh && env?.[name] ? [sh] : []))),
    ]
    expect(holders('REGISTRY_USER')).toEqual(['make registry-login'])
    expect(holders('COSIGN_KEY')).toEqual(['make sign'])
    expect(holders('KUBECONFIG')).toEqual([...deployment, 'make cluster-logs', 'make undeploy-build'])
    expect(events.find(({ sh }) => sh === 'make deploy-image')?.env).toMatchObject({
      OVERLAY: 'build',
      NAMESPACE: 'tally-build-7',
    })
  })

  test('skips the checks and the deployment on request', () => {
    const { commands, events, resultOf } = builds.pushed
    expect(resultOf('pipeline')).toBe('SUCCESS')
    expect(commands).toEqual(['make packages', 'make image', ...supplyChain])
    expect(events.flatMap(({ stage, skipped }) => (skipped ? [stage] : []))).toEqual([
      'Test image',
      'Checks',
      'Integration tests',
      'Deployment',
    ])
  })

  test('rolls back when the rolling update fails, and verifies that the previous version serves', () => {
    const { commands, resultOf } = builds.rolledBack
    expect(commands.slice(commands.indexOf('make deployed-roll'))).toEqual([
      'make deployed-roll',
      'make rollback',
      'make deployed-conformance',
      'make cluster-logs',
      'make undeploy-build',
      'make notify',
    ])
    expect(resultOf('Load test')).toBe('SUCCESS')
    expect(resultOf('Rolling update under load')).toBe('FAILURE')
    expect(resultOf('pipeline')).toBe('FAILURE')
  })

  test('deploys nothing with an invalid signature', () => {
    const { commands, resultOf } = builds.unsigned
    expect(resultOf('pipeline')).toBe('FAILURE')
    expect(commands).not.toContain('make deploy-image')
    expect(commands).toContain('make notify')
  })

  test('pushes nothing that fails a test, but publishes the test results', () => {
    const { commands, events, resultOf } = builds.broken
    expect(resultOf('pipeline')).toBe('FAILURE')
    expect(commands).not.toContain('make image-push')
    expect(events.find(({ step }) => step === 'junit')).toBeDefined()
  })

  test('signs and deploys nothing without its credentials', () => {
    const { commands, events, resultOf } = builds.withoutCredential
    expect(resultOf('pipeline')).toBe('FAILURE')
    expect(events.find(({ failure }) => failure)?.failure).toBe('there is no credential tally-cosign-key')
    expect(commands).not.toContain('make deploy-image')
  })
})

describe.skipIf(!haveJava)('the check of a Jenkinsfile', () => {
  test(
    'reports constructs that declarative pipelines do not support, with their line',
    async () => {
      const text = await Bun.file(join(root, 'Jenkinsfile')).text()
      const broken = text
        .replace('agent none', 'agnet none')
        .replace('skipDefaultCheckout()', 'skipDefaultCheckouts()')
        .replace("sh 'make verify'", "shell 'make verify'")
        .replace("sh 'make rollback'", "sh 'kubectl rollout undo deployment/api'")
        .replace('unsuccessful {\n                  sh', 'unsucessful {\n                  sh')
        .replace(
          "stage('Load test') {",
          "stage('Load test') { stages { stage('x') { steps { sh 'make x' } } }",
        )
        .replace(
          'when { expression { return params.CHECKS } }',
          'when { expression { return params?["CHECKS"] } }',
        )
      const file = join(folder, 'Jenkinsfile')
      await Bun.write(file, broken)
      const { exitCode, stderr } = await runCommand(['tools/jenkinsfile.sh', 'check'], {
        env: { ...process.env, JENKINSFILE: file },
      })
      expect(exitCode).toBe(1)
      expect(
        stderr
          .trim()
          .split('\n')
          .map((line) => line.replace(/^.*?:\d+: /, '')),
      ).toEqual([
        'pipeline has no section agnet',
        'pipeline has no agent',
        'options knows no skipDefaultCheckouts',
        'no step is known by the name shell',
        'stage Load test needs exactly one of steps, parallel, matrix and stages, and has [steps, stages]',
        'post knows no unsucessful',
        'sh is one make target, with its settings: kubectl rollout undo deployment/api',
        '?[ ]: not in Groovy 2.4',
      ])
    },
    timeoutMs,
  )
})
