import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { hasProgram } from '../../support/programs.ts'
import { root } from '../../support/root.ts'
import { openRehearsal, type Rehearsal } from './workflow-rehearsal.ts'

// Runs the GitHub workflows on act: checks which targets run, in which order, under which conditions, and with which
// inputs from each other. Does not cover permissions, OIDC and the actions themselves.

const timeoutMs = 180_000
const haveAct = hasProgram(
  'act',
  'none: make workflows-rehearsal builds it',
  existsSync(join(root, '.tools/bin/act')),
)
const index = 'ghcr.io/example/tally@sha256:index'

describe.skipIf(!haveAct)('the workflows', () => {
  let rehearsal: Rehearsal
  beforeAll(async () => {
    rehearsal = await openRehearsal()
  })
  afterAll(() => rehearsal?.[Symbol.asyncDispose]())

  test(
    'ci runs every part of .ci/run, the unit tests and the browser; the benchmark floor only for a pull request',
    async () => {
      const run = await rehearsal.run({ workflow: 'ci.yaml', event: 'push' })
      expect(run.exitCode, run.output).toBe(0)
      const parts = run.steps.flatMap(({ target, env }) => (target === 'ci' ? [env.PART] : []))
      const script = await Bun.file(join(root, '.ci/run')).text()
      const known = new Set(
        [...script.matchAll(/^part (.+)$/gm)].flatMap(([, names]) => names?.split(' ') ?? []),
      )
      expect(parts.sort()).toEqual([...known].sort())
      expect(run.targets()).toEqual(expect.arrayContaining(['test', 'browser-test', 'terraform-check']))
      expect(run.targets('bench')).toEqual([])
      expect(run.steps.find(({ target }) => target === 'ci')?.env.ROUNDS).toBe('5')

      const request = await rehearsal.run({
        workflow: 'ci.yaml',
        event: 'pull_request',
        payload: { pull_request: { base: { sha: 'abc' }, head: { ref: 'x' } } },
      })
      expect(request.targets('bench')).toEqual(['bench-floor'])
      const nightly = await rehearsal.run({ workflow: 'ci.yaml', event: 'schedule' })
      expect(nightly.steps.find(({ target }) => target === 'ci')?.env.ROUNDS).toBe('20')
    },
    timeoutMs,
  )

  test(
    'image builds each architecture, scans before a tag moves, signs and verifies the index, then asks for staging',
    async () => {
      const run = await rehearsal.run({
        workflow: 'image.yaml',
        event: 'push',
        payload: { ref: 'refs/heads/main' },
      })
      expect(run.exitCode, run.output).toBe(0)
      for (const job of ['build-amd64', 'build-arm64'])
        expect(run.targets(job)).toEqual(['image-reproducible', 'registry-login', 'image-push'])
      expect(run.targets('publish')).toEqual([
        'registry-login',
        'sbom',
        'scan',
        'image-index',
        'sign',
        'verify',
      ])
      const envOf = (target: string) => run.steps.findLast((step) => step.target === target)?.env
      expect(envOf('image-index')?.IMAGES).toBe(
        'ghcr.io/example/tally@sha256:amd64 ghcr.io/example/tally@sha256:arm64',
      )
      expect(envOf('scan')).toMatchObject({ SCAN_REQUIRED: '1' })
      expect(envOf('sign')).toMatchObject({ IMAGE: index })
      expect(envOf('verify')).toMatchObject({ IMAGE: index })
      expect(envOf('deploy-request')).toMatchObject({ IMAGE: index, DEPLOY_ENVIRONMENT: 'staging' })
    },
    timeoutMs,
  )

  test(
    'image moves no tag and signs nothing when the scan fails',
    async () => {
      const run = await rehearsal.run({ workflow: 'image.yaml', event: 'push', fail: 'scan' })
      expect(run.exitCode).not.toBe(0)
      expect(run.targets('publish')).toEqual(['registry-login', 'sbom', 'scan'])
      expect(run.targets('deploy')).toEqual([])
    },
    timeoutMs,
  )

  const tag = { event: 'push', workflow: 'release.yaml', payload: { ref: 'refs/tags/v1.2.3' } } as const

  test(
    'release checks, builds, signs, asks for production and publishes',
    async () => {
      const run = await rehearsal.run(tag)
      expect(run.exitCode, run.output).toBe(0)
      expect(run.targets()[0]).toBe('release-check')
      expect(run.targets('chart')).toEqual(['registry-login', 'chart-push', 'chart-sign', 'chart-verify'])
      expect(run.steps.find(({ target }) => target === 'chart-push')?.env).toMatchObject({ IMAGE: index })
      expect(run.targets().slice(-2)).toEqual(['manifests-plain', 'release-publish'])
      for (const step of run.steps.slice(-2)) expect(step.env).toMatchObject({ TAG: 'v1.2.3', IMAGE: index })
      const asked = run.steps.find(({ target }) => target === 'deploy-request')
      expect(asked?.env).toMatchObject({ DEPLOY_ENVIRONMENT: 'production', IMAGE: index })
    },
    timeoutMs,
  )

  test(
    'release builds nothing when tag, package.json, OpenAPI and CHANGELOG differ',
    async () => {
      const run = await rehearsal.run({ ...tag, fail: 'release-check' })
      expect(run.exitCode).not.toBe(0)
      expect(run.targets()).toEqual(['release-check'])
    },
    timeoutMs,
  )

  const inputs = { action: 'deploy', environment: 'staging', image: index }
  const deploy = { workflow: 'deploy.yaml', event: 'workflow_dispatch', inputs } as const
  const proof = ['verify', 'deploy-image', 'deployed-conformance', 'deployed-load']

  test(
    'deploy verifies before it deploys, and proves afterwards',
    async () => {
      const run = await rehearsal.run(deploy)
      expect(run.exitCode, run.output).toBe(0)
      expect(run.targets()).toEqual(['deploy-preflight', 'registry-login', ...proof])
      expect(run.steps.find(({ target }) => target === 'deploy-image')?.env).toMatchObject({
        IMAGE: index,
        OVERLAY: 'production',
      })
    },
    timeoutMs,
  )

  test(
    'deploy does nothing and succeeds without the secrets of the environment',
    async () => {
      const run = await rehearsal.run({ ...deploy, ready: false })
      expect(run.exitCode, run.output).toBe(0)
      expect(run.targets()).toEqual(['deploy-preflight'])
    },
    timeoutMs,
  )

  test.each(['deploy-image', 'deployed-conformance', 'deployed-load'])(
    'deploy rolls back when %s fails',
    async (target) => {
      const run = await rehearsal.run({ ...deploy, fail: target })
      expect(run.exitCode).not.toBe(0)
      const until = proof.slice(0, proof.indexOf(target) + 1)
      expect(run.targets()).toEqual(['deploy-preflight', 'registry-login', ...until, 'rollback'])
    },
    timeoutMs,
  )

  test(
    'deploy rolls nothing back when the signature is invalid, because nothing was deployed',
    async () => {
      const run = await rehearsal.run({ ...deploy, fail: 'verify' })
      expect(run.exitCode).not.toBe(0)
      expect(run.targets()).toEqual(['deploy-preflight', 'registry-login', 'verify'])
    },
    timeoutMs,
  )

  test(
    'a manual rollback restores the previous version and verifies it',
    async () => {
      const run = await rehearsal.run({ ...deploy, inputs: { ...inputs, action: 'rollback', image: '' } })
      expect(run.exitCode, run.output).toBe(0)
      expect(run.targets()).toEqual(['deploy-preflight', 'rollback', 'deployed-conformance'])
    },
    timeoutMs,
  )

  test(
    'rollout saves its summary even when a request was lost',
    async () => {
      const run = await rehearsal.run({
        workflow: 'rollout.yaml',
        event: 'schedule',
        fail: 'kind-cluster-test',
      })
      expect(run.exitCode).not.toBe(0)
      expect(run.targets()).toEqual(['kind-cluster-test', 'step-summary'])
    },
    timeoutMs,
  )
})

describe('the steps of the pipelines', () => {
  test('are one line each and call an existing target', async () => {
    const makefiles = await Promise.all(
      ['Makefile', '.ci/pipelines.mk'].map((path) => Bun.file(join(root, path)).text()),
    )
    const targets = new Set(
      [...makefiles.join('\n').matchAll(/^([a-z][a-z -]*):/gm)].flatMap(
        ([, names]) => names?.split(' ') ?? [],
      ),
    )
    const called: string[] = []
    for (const path of new Bun.Glob('.github/workflows/*.yaml').scanSync({ cwd: root, dot: true })) {
      const { jobs } = Bun.YAML.parse(await Bun.file(join(root, path)).text()) as {
        jobs: Record<string, { steps?: { run?: string }[] }>
      }
      for (const { steps = [] } of Object.values(jobs)) called.push(...steps.flatMap(({ run }) => run ?? []))
    }
    const jenkinsfile = await Bun.file(join(root, 'Jenkinsfile')).text()
    called.push(...[...jenkinsfile.matchAll(/sh '([^']+)'/g)].map(([, command]) => command as string))
    expect(called.length).toBeGreaterThan(40)
    for (const command of called) {
      const [, target = ''] = /^make ([a-z-]+)( [A-Z_]+=("[^"]*"|\S+))*$/.exec(command) ?? []
      expect(targets, command).toContain(target)
    }
  })
})
