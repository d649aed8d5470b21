/**
 * Replaces every pod of a deployment under load, and judges by the load's report: `make deployed-roll`. With
 * `NEXT_IMAGE` the pods get another image; otherwise only their template changes.
 *
 * A rollout that does not finish within `ROLLOUT_TIMEOUT` (120 s) fails, as does one that loses a request. The previous
 * revision is recorded first, and `make rollback` returns to it.
 *
 * Exit codes: 0 if every pod was replaced and nothing was lost or refused; 2 if not; 1 if it could not run.
 */
import { resolve } from 'node:path'
import { runCommand, runSuccessfully } from '../../../support/command.ts'
import { startLoad } from '../load.ts'

const deployments = ['api', 'worker'] as const
/** How long the load runs before and after the rollout, in ms. */
const calmMs = 5_000

const { NAMESPACE, SERVICE_URL, PROMETHEUS_URL, NEXT_IMAGE, API_KEY } = process.env
const timeoutSeconds = Number(process.env.ROLLOUT_TIMEOUT || 120)
const directory = resolve(process.env.REPORT_DIR || 'reports/load/rolling-update')

if (!NAMESPACE || !SERVICE_URL) {
  console.error('NAMESPACE and SERVICE_URL must name what is rolled: make deployed-roll finds both')
  process.exit(1)
}
const kubectl = (...words: string[]): Promise<string> =>
  runSuccessfully(['kubectl', `--namespace=${NAMESPACE}`, ...words])
process.exit(await main())

async function main(): Promise<number> {
  await runSuccessfully(['k8s/note-revisions.sh'])
  const load = await startLoad('rollout', directory, {
    SERVICE_URL: SERVICE_URL as string,
    ...(PROMETHEUS_URL ? { PROMETHEUS_URL } : {}),
    ...(API_KEY ? { API_KEY } : {}),
    CONNECTION: 'mixed',
    RATE: process.env.RATE || '100',
    // At most: both rollouts in turn, and the time around them.
    DURATION: `${process.env.DURATION?.replace(/s$/, '') || timeoutSeconds + (2 * calmMs) / 1_000}s`,
  })
  await load.begun
  await Bun.sleep(calmMs)
  await load.mark(NEXT_IMAGE ? `rolling update: to ${NEXT_IMAGE}` : 'rolling update: changed template')
  await Promise.all(deployments.map(changeTemplate))
  const rollouts = await Promise.all(deployments.map(waitForRollout))
  await load.mark('afterwards')
  const underLoad = !load.isOver()
  const { exitCode, report } = await load.end()

  const { sent, answered, refused, lost } = report.summary
  console.log(`Report: ${directory}/report.html`)
  console.log(`Sent ${sent}, answered ${answered}, refused ${refused}, lost ${lost}`)
  const problems = rollouts.filter((problem) => problem !== undefined)
  if (exitCode !== 0) problems.push(`The load ended with ${exitCode}: see ${directory}/report.txt`)
  if (!underLoad) problems.push('The load was over before the rollout was: DURATION must be longer')
  for (const problem of problems) console.error(problem)
  return problems.length > 0 ? 2 : 0
}

async function changeTemplate(deployment: (typeof deployments)[number]): Promise<void> {
  if (NEXT_IMAGE) {
    await kubectl('set', 'image', `deployment/${deployment}`, `${deployment}=${NEXT_IMAGE}`)
    return
  }
  const annotations = { 'tally/rolled-at': new Date().toISOString() }
  const patch = JSON.stringify({ spec: { template: { metadata: { annotations } } } })
  await kubectl('patch', `deployment/${deployment}`, `--patch=${patch}`)
}

/** Why a rollout did not finish; undefined if it did. */
async function waitForRollout(deployment: (typeof deployments)[number]): Promise<string | undefined> {
  const { exitCode, stderr } = await runCommand([
    ...['kubectl', `--namespace=${NAMESPACE}`, 'rollout', 'status', `deployment/${deployment}`],
    `--timeout=${timeoutSeconds}s`,
  ])
  return exitCode === 0 ? undefined : `${deployment} was not replaced: ${stderr.trim()}`
}
