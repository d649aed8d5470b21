/**
 * Deploys the load test overlay to the cluster of KUBECONFIG and performs, under load, every operation that a platform
 * performs on a Deployment: `make cluster-test IMAGE=… NEXT_IMAGE=…`. Needs kubectl and k6. docs/cluster-test.md lists
 * the settings and the results.
 *
 * Exit codes: 0 if nothing was lost and every check passed; 2 if not; 1 if the test could not run.
 */
import { mkdir, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { findK6 } from '../../../../load/k6.ts'
import { type Progress, startProgress } from '../../../../tools/progress.ts'
import { releaseCanaries } from './argo.ts'
import { autoscale } from './autoscaling.ts'
import { check } from './check.ts'
import { checkConformance } from './conformance.ts'
import { runControls } from './controls.ts'
import { disrupt } from './disruptions.ts'
import { checkEndpoints } from './endpoints.ts'
import { byGateway } from './gateway.ts'
import { checkGuards } from './guards.ts'
import { runReleases } from './helm.ts'
import { loseStores } from './outages.ts'
import { deploy, type Platform } from './platform.ts'
import { renderHtml } from './report/html.ts'
import { renderMarkdown } from './report/markdown.ts'
import { renderText } from './report/text.ts'
import { type ClusterRun, runUnderLoad } from './run.ts'
import { type ClusterSettings, type Part, readClusterSettings } from './settings.ts'
import { byPods } from './variant.ts'
import { faultsOf, type PartResult, totalsOf } from './verdict.ts'

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130))

// Not process.exitCode: a child process that still runs would keep this process alive.
process.exit(
  await main().catch((error: unknown) => {
    console.error(error)
    return 1
  }),
)

async function main(): Promise<number> {
  const settings = readClusterSettings(process.env)
  const missing = Bun.which('kubectl') === null ? ['kubectl'] : []
  if (findK6(process.env, resolve(import.meta.dir, '../../../..')) === null)
    missing.push('k6 (make load fetches it)')
  if (missing.length > 0) {
    console.error(`Not installed: ${missing.join(', ')}`)
    return 1
  }
  const directory = resolve(settings.reportDirectory)
  await rm(directory, { recursive: true, force: true })
  await mkdir(directory, { recursive: true })
  const startedAt = new Date()

  const progress = await startProgress(`cluster-test-${settings.seconds}s`)
  progress.print(`Deploying ${settings.overlay} to ${settings.namespace} ...`)
  progress.step('deploying')
  const platform = await deploy(settings, directory)
  const results: PartResult[] = []
  for (const part of settings.parts) {
    results.push(await runPart(part, { platform, settings, directory, progress }))
    // Saves the results after every part, so that a later failure does not lose them.
    await Bun.write(join(directory, 'cluster.json'), `${JSON.stringify({ settings, results }, null, 2)}\n`)
  }
  const where = {
    startedAt: startedAt.toISOString(),
    minutes: (Date.now() - startedAt.getTime()) / 60_000,
    cluster: await describeCluster(platform),
    images: [settings.image, settings.nextImage] as const,
  }
  progress.step('removing the deployment')
  if (!settings.keep) await platform.undeploy()
  await platform.close()
  await progress.end(true)

  const text = renderText(where, results)
  await Promise.all([
    Bun.write(join(directory, 'cluster.json'), `${JSON.stringify({ where, settings, results }, null, 2)}\n`),
    Bun.write(join(directory, 'cluster.txt'), text),
    Bun.write(join(directory, 'cluster.md'), renderMarkdown(where, results)),
    Bun.write(join(directory, 'index.html'), renderHtml(where, results)),
  ])
  console.log(text)
  console.log(`Report: ${join(directory, 'index.html')}`)
  return results.some((result) => faultsOf(result).length > 0) ? 2 : 0
}

interface Test {
  readonly platform: Platform
  readonly settings: ClusterSettings
  /** For the reports. */
  readonly directory: string
  readonly progress: Progress
}

async function runPart(part: Part, test: Test): Promise<PartResult> {
  const { platform, settings, directory, progress } = test
  progress.print(`${part} ...`)
  progress.step(part)
  switch (part) {
    case 'conformance': {
      const checks = [await checkConformance(platform.url, progress.print)]
      return { name: part, runs: [], checks, mustLoseNothing: true }
    }
    case 'rollouts':
      return runRollouts(test)
    case 'guards': {
      const checks = await checkGuards(platform, settings.image)
      return { name: part, runs: [], checks, mustLoseNothing: true }
    }
    case 'outages': {
      const run = await loseStores(platform, settings, directory)
      return { name: part, runs: [run], checks: [], mustLoseNothing: true }
    }
    case 'autoscaling': {
      const run = await autoscale(platform, settings, directory)
      return { name: part, runs: [run], checks: [], mustLoseNothing: true }
    }
    case 'helm': {
      const { runs, checks } = await runReleases(platform, settings, directory)
      return { name: part, runs, checks, mustLoseNothing: true }
    }
    case 'controls': {
      const { runs, checks } = await runControls(platform, settings, directory)
      return { name: part, runs, checks, mustLoseNothing: false }
    }
    case 'argo':
    case 'gateway': {
      const variant = part === 'argo' ? byPods(platform) : await byGateway(platform)
      const { runs, checks } = await releaseCanaries(platform, settings, join(directory, part), variant)
      // The bad releases cost something; the checks say where nothing may be lost.
      return { name: part, runs, checks, mustLoseNothing: false }
    }
  }
}

/** The endpoints; then in each connection mode the plain load and the load with all disruptions. */
async function runRollouts({ platform, settings, directory, progress }: Test): Promise<PartResult> {
  const { image, nextImage, requests, rate, users, seconds } = settings
  const endpoints = await checkEndpoints(platform.url)
  const runs: ClusterRun[] = []
  for (const connection of settings.connections) {
    const plain = { name: `${connection}-plain`, profile: 'load', connection, requests } as const
    progress.step(plain.name)
    runs.push(await runUnderLoad(platform, plain, directory))
    progress.print(await Bun.file(join(directory, plain.name, 'report.txt')).text())
    progress.print(`${connection}: every disruption, at ${rate} a second for ${seconds} s ...`)
    progress.step(connection)
    runs.push(
      await runUnderLoad(
        platform,
        { name: connection, profile: 'rollout', connection, rate, users, seconds },
        directory,
        (mark, endsAt) =>
          disrupt(platform, { image, nextImage, environment: `loadtest-${connection}`, mark, endsAt }),
      ),
    )
  }
  const result = { name: 'rollouts', runs, checks: endpoints, mustLoseNothing: true }
  const { sent, stops } = totalsOf([result])
  return {
    ...result,
    checks: [
      ...endpoints,
      check(`at least ${settings.stopsMin} pods are stopped`, stops >= settings.stopsMin, `${stops}`),
      check(`at least ${settings.requestsMin} requests are sent`, sent >= settings.requestsMin, `${sent}`),
    ],
  }
}

async function describeCluster({ namespace }: Platform): Promise<string> {
  const nodes = await namespace.kubectl(
    ...['get', 'nodes', '-o'],
    'jsonpath={range .items[*].status}{.nodeInfo.kubeletVersion}, {.nodeInfo.containerRuntimeVersion}, {.capacity.cpu} CPUs; {end}',
  )
  return `Kubernetes ${nodes.replace(/;$/, '')}`
}
