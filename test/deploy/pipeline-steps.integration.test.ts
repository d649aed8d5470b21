import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runCommand } from '../support/command.ts'

// The scripts of pipeline steps that need neither a registry nor a cluster. make pipeline-rehearsal tests the others.

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tally-steps-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const { PATH, HOME } = process.env
const run = (command: string, env: Record<string, string>) =>
  runCommand(command.split(' '), { env: { PATH, HOME, ...env } })
const digest = `sha256:${'a'.repeat(64)}`

describe('an image', () => {
  test('is signed, verified and deployed only by digest', async () => {
    const byDigest = await run('deploy/image/reference.sh', {
      IMAGE: `registry.example.com:5000/tally@${digest}`,
    })
    expect(byDigest.stdout.trim()).toBe(`registry.example.com:5000/tally@${digest}`)
    for (const image of ['tally:1.2.3', 'tally', 'tally@sha256:abc', `tally@${digest}b`]) {
      const { exitCode, stderr } = await run('deploy/image/reference.sh', { IMAGE: image })
      expect(exitCode, image).toBe(1)
      expect(stderr).toContain(`not by digest: ${image}`)
    }
  })

  test('of a release is tagged with version, commit and latest; of main with commit and main', async () => {
    const release = await run('deploy/image/tags.sh', { GITHUB_REF_TYPE: 'tag', GITHUB_REF_NAME: 'v1.2.3' })
    expect(release.stdout.trim()).toMatch(/^1\.2\.3 [0-9a-f]{40} latest$/)
    const given = await run('deploy/image/tags.sh', { TAGS: 'one two' })
    expect(given.stdout.trim()).toBe('one two')
  })

  test('is not pushed without a registry', async () => {
    const { exitCode, stderr } = await run('deploy/image/push.sh', {})
    expect(exitCode).not.toBe(0)
    expect(stderr).toContain('REPOSITORY')
  })
})

describe('a chart', () => {
  test('is pushed only with a registry, and an image by digest', async () => {
    const nowhere = await run('deploy/helm/push.sh', { IMAGE: `tally@${digest}` })
    expect([nowhere.exitCode === 0, nowhere.stderr]).toEqual([false, expect.stringContaining('REPOSITORY')])
    const byTag = await run('deploy/helm/push.sh', {
      REPOSITORY: 'registry.example.com/tally',
      IMAGE: 'tally:1',
    })
    expect([byTag.exitCode === 0, byTag.stderr]).toEqual([false, expect.stringContaining('not by digest')])
  })

  test('is signed and verified by its own digest, not by that of the image', async () => {
    const chart = `registry.example.com/charts/tally@${digest}`
    const environment = { ARTIFACT: 'chart', IMAGE: 'tally:1', CHART: chart }
    expect((await run('deploy/image/reference.sh', environment)).stdout.trim()).toBe(chart)
    const byTag = await run('deploy/image/reference.sh', { ...environment, CHART: 'charts/tally:0.1.0' })
    expect([byTag.exitCode, byTag.stderr]).toEqual([1, expect.stringContaining('not by digest')])
  })
})

describe('the preflight of a deployment', () => {
  test('writes the kubeconfig readable by this user only, and passes its path to later steps', async () => {
    const [output, environment] = [join(folder, 'output'), join(folder, 'environment')]
    const { exitCode } = await run('k8s/preflight.sh', {
      KUBECONFIG_CONTENT: 'secret: yes',
      SERVICE_URL: 'https://tally.example',
      RUNNER_TEMP: folder,
      GITHUB_OUTPUT: output,
      GITHUB_ENV: environment,
    })
    expect(exitCode).toBe(0)
    const kubeconfig = join(folder, 'kubeconfig')
    expect(await Bun.file(output).text()).toBe('ready=true\n')
    expect(await Bun.file(environment).text()).toBe(`KUBECONFIG=${kubeconfig}\n`)
    expect(await Bun.file(kubeconfig).text()).toBe('secret: yes\n')
    expect((await Bun.file(kubeconfig).stat()).mode & 0o777).toBe(0o600)
  })

  test('reports what is missing, and succeeds', async () => {
    const output = join(folder, 'nothing')
    const { exitCode, stdout } = await run('k8s/preflight.sh', { GITHUB_OUTPUT: output })
    expect(exitCode).toBe(0)
    expect(stdout).toContain(
      '::notice title=Not deployed::This environment lacks the secret KUBECONFIG_CONTENT, the variable SERVICE_URL',
    )
    expect(await Bun.file(output).text()).toBe('ready=false\n')
  })
})

test('the cleanup of a build removes no other namespace', async () => {
  for (const namespace of ['tally', '', 'production', 'kube-system']) {
    const { exitCode, stderr } = await run('k8s/undeploy-build.sh', { NAMESPACE: namespace })
    expect(exitCode).toBe(1)
    expect(stderr).toContain('not that of a build')
  }
})

describe('with a kubectl that prints what it is asked', () => {
  /** Its folder, for PATH. `rollout status` fails, as for pods that do not become ready. */
  let kubectl = ''
  beforeAll(async () => {
    kubectl = await mkdtemp(join(folder, 'kubectl-'))
    const program = join(kubectl, 'kubectl')
    await Bun.write(
      program,
      `#!/bin/sh
if [ -n "$UNREACHABLE" ]; then echo "no connection" >&2; exit 1; fi
case " $* " in
  *" rollout status "*) exit 1 ;;
  *" deployment --output name "*) echo deployment.apps/api ;;
  *" --kustomize "*) echo "kubectl $*"; for last in "$@"; do :; done; cat "$last/kustomization.yaml" ;;
  *" get pods,persistentvolumeclaims "*) echo "the pods of $2" ;;
  *" get events "*) echo "the warnings of $2" ;;
esac
`,
    )
    await chmod(program, 0o755)
  })
  const environment = () => ({ PATH: `${kubectl}:${PATH}`, NAMESPACE: 'tally-try' })

  test('a deployment that does not become ready fails and shows the pods and the warnings', async () => {
    const { exitCode, stderr } = await run('k8s/deploy.sh', environment())
    expect(exitCode).toBe(1)
    expect(stderr).toContain('Not everything in tally-try is ready')
    expect(stderr).toContain('the pods of tally-try')
    expect(stderr).toContain('the warnings of tally-try')
  })

  test('a rollback of nothing, or without a cluster, fails', async () => {
    const nothing = await run('k8s/rollback.sh', environment())
    expect([nothing.exitCode, nothing.stderr]).toEqual([1, 'Nothing is deployed in tally-try\n'])
    const unreachable = await run('k8s/rollback.sh', { ...environment(), UNREACHABLE: '1' })
    expect([unreachable.exitCode, unreachable.stderr]).toEqual([1, 'no connection\n'])
  })

  test('make undeploy removes the namespace of NAMESPACE, not that of the overlay', async () => {
    const { exitCode, stdout } = await run('make undeploy OVERLAY=dev', environment())
    expect(exitCode).toBe(0)
    expect(stdout).toContain('kubectl delete --ignore-not-found --kustomize')
    expect(stdout).toContain('namespace: tally-try\n')
  })
})

test('a failed build is reported to a webhook', async () => {
  const messages: unknown[] = []
  await using server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    async fetch(request) {
      messages.push(await request.json())
      return new Response()
    },
  })
  const { exitCode } = await run('tools/notify.sh', {
    NOTIFY_URL: server.url.href,
    JOB_NAME: 'tally',
    BUILD_NUMBER: '7',
    BUILD_URL: 'https://ci.example/7',
  })
  expect(exitCode).toBe(0)
  expect(messages).toEqual([
    { text: expect.stringMatching(/^Failed: tally 7 \(.+\) https:\/\/ci\.example\/7$/) },
  ])
  expect((await run('tools/notify.sh', {})).stdout).toContain('no notification is sent')
})
