/**
 * `make pipeline-rehearsal`: runs the Jenkinsfile from build to rolled deployment with real commands, on the cluster of
 * KUBECONFIG, with its own registry, keys and namespaces; then once more with a broken image, which the pipeline must
 * roll back. docs/ci-cd.md lists the requirements. Writes its results to reports/pipeline/report.md.
 *
 * `BASE` names the base of the image; default: one made from this machine (deploy/docker/base.sh). The nodes must reach
 * 127.0.0.1 of this machine, like a cluster on it does, or the registry in `REGISTRY`.
 *
 * Exit codes: 0 if both pipelines ended as required, otherwise 1.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { spawnChild } from '../../support/child-process.ts'
import { runCommand, runSuccessfully } from '../../support/command.ts'
import { freePort } from '../../support/free-ports.ts'
import { root } from '../../support/root.ts'
import { until } from '../../support/until.ts'
import { type Check, checkBroken, checkGood, type PipelineEvent, renderReport } from './rehearsal-report.ts'

const directory = join(root, 'reports/pipeline')
/** The report folder of the pipeline's own targets. */
const loadReports = join(root, 'reports/load')

if (!process.env.KUBECONFIG) {
  console.error('KUBECONFIG must name a cluster: docs/ci-cd.md')
  process.exit(1)
}
process.exit(await main())

async function main(): Promise<number> {
  await mkdir(directory, { recursive: true })
  await using resources = new AsyncDisposableStack()
  const work = await mkdtemp(join(tmpdir(), 'tally-rehearsal-'))
  resources.defer(() => rm(work, { recursive: true, force: true }))
  for (const tool of ['deploy/image/registry-tool.sh', 'deploy/image/cosign.sh'])
    await runSuccessfully([tool])
  const registry = process.env.REGISTRY || (await startRegistry(resources))
  const repository = `${registry}/tally`
  const env = await settings(work)

  const good = await runPipeline('good', { REPOSITORY: repository }, { ...env, BUILD_NUMBER: '1' })
  const image = (await Bun.file(join(root, 'reports/supply-chain/image')).text()).trim()
  const broken = await pushBroken(image, repository, env)
  const unsigned = await runCommand(['make', 'verify'], { env: { ...env, IMAGE: broken } })
  await runSuccessfully(['make', 'sign'], { env: { ...env, IMAGE: broken } })
  const parameters = { REPOSITORY: repository, NEXT_IMAGE: broken }
  const bad = await runPipeline('broken', parameters, { ...env, BUILD_NUMBER: '2' })

  const checks: Check[] = [
    ...checkGood(good),
    {
      name: 'an image without a signature is refused',
      passed: unsigned.exitCode !== 0,
      seen: unsigned.stderr.trim().split('\n').at(-1) ?? '',
    },
    ...checkBroken(bad),
  ]
  const report = renderReport({ image, runs: { good, broken: bad }, checks })
  await Bun.write(join(directory, 'report.md'), report)
  console.log(report)
  return checks.every(({ passed }) => passed) ? 0 : 1
}

/**
 * The environment of the pipelines: credentials as Jenkins would hold them, and loads that a busy machine can handle.
 */
async function settings(work: string): Promise<Record<string, string>> {
  const keys = join(work, 'cosign')
  const base = process.env.BASE || (await runSuccessfully(['deploy/docker/base.sh', 'tally-base:rehearsal']))
  const env: Record<string, string> = {
    ...(process.env as Record<string, string>),
    BASE: base,
    COSIGN_PASSWORD: 'rehearsal',
    // The rehearsal's registry login stays in its own folder.
    DOCKER_CONFIG: work,
    N_REQUESTS: process.env.N_REQUESTS || '2000',
    RATE: process.env.RATE || '50',
    ROLLOUT_TIMEOUT: process.env.ROLLOUT_TIMEOUT || '120',
  }
  await runSuccessfully(['.tools/bin/cosign', 'generate-key-pair', '--output-key-prefix', keys], { env })
  return { ...env, COSIGN_KEY: `${keys}.key`, COSIGN_PUBLIC_KEY: `${keys}.pub` }
}

async function startRegistry(resources: AsyncDisposableStack): Promise<string> {
  const address = `127.0.0.1:${await freePort()}`
  const registry = spawnChild({
    command: ['deploy/image/registry.sh'],
    cwd: root,
    env: { PORT: address.split(':')[1] as string },
    output: { file: join(directory, 'registry.log') },
  })
  resources.defer(async () => void (await registry.stop()))
  await until(async () => (await fetch(`http://${address}/v2/`)).ok, {
    what: 'the registry',
    intervalMs: 100,
  })
  return address
}

/** The same image with a program that exits immediately. */
async function pushBroken(image: string, repository: string, env: Record<string, string>): Promise<string> {
  return await runSuccessfully(
    [
      ...['.tools/bin/crane', 'mutate', image, '--tag', `${repository}:broken`],
      ...['--entrypoint', 'bun,-e,process.exit(1)', '--label', 'broken=true'],
    ],
    { env },
  )
}

async function runPipeline(
  name: string,
  parameters: Readonly<Record<string, string>>,
  env: Record<string, string>,
): Promise<readonly PipelineEvent[]> {
  console.log(`===== Pipeline: ${name}`)
  const file = join(directory, `${name}.jsonl`)
  await rm(loadReports, { recursive: true, force: true })
  const run = {
    events: file,
    parameters: { CHECKS: 'false', BASE: env.BASE, ...parameters },
    credentials: {
      'tally-registry': 'rehearsal:rehearsal',
      'tally-cosign-key': env.COSIGN_KEY,
      'tally-cosign-password': env.COSIGN_PASSWORD,
      'tally-cosign-public-key': env.COSIGN_PUBLIC_KEY,
      'tally-kubeconfig': process.env.KUBECONFIG,
    },
    // Skips the setup that this machine already has.
    skip: ['make packages'],
  }
  await Bun.write(join(directory, `${name}.json`), JSON.stringify([run]))
  const child = Bun.spawn(['tools/jenkinsfile.sh', 'run', join(directory, `${name}.json`)], {
    cwd: root,
    env,
    stdio: ['ignore', Bun.file(join(directory, `${name}.log`)), Bun.file(join(directory, `${name}.err.log`))],
  })
  await child.exited
  await runCommand(['cp', '--recursive', loadReports, join(directory, `${name}-load`)])
  const lines = (await Bun.file(file).text()).trim().split('\n')
  return lines.map((line) => JSON.parse(line))
}
