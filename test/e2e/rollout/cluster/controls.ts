import { sumOf } from '../phases.ts'
import { type Check, check } from './check.ts'
import type { Platform } from './platform.ts'
import { type ClusterRun, runUnderLoad } from './run.ts'
import type { ClusterSettings } from './settings.ts'

/** The API's container without parts of the shutdown. Kustomize merges it into the Deployment. */
const without = {
  preStop: { lifecycle: null },
  // No drain window: `Connection: close` for requests in flight, then server.stop().
  window: {
    env: [
      { name: 'DRAIN_MIN', value: '0s' },
      { name: 'DRAIN_QUIET', value: '0s' },
    ],
  },
} as const

const controls = [
  { name: 'without preStop', fields: without.preStop, mustLose: false },
  { name: 'without the drain window', fields: without.window, mustLose: false },
  { name: 'without both', fields: { ...without.preStop, ...without.window }, mustLose: true },
] as const

const restarts = 2
const seconds = 65

/**
 * Restarts the API under load without parts of its shutdown. Without all of them something must be lost, otherwise the
 * test is blind. The last control stays deployed.
 */
export async function runControls(
  platform: Platform,
  settings: ClusterSettings,
  directory: string,
): Promise<{ runs: ClusterRun[]; checks: Check[] }> {
  const runs: ClusterRun[] = []
  const checks: Check[] = []
  for (const { name, fields, mustLose } of controls) {
    await platform.apply({
      image: settings.image,
      patches: [{ spec: { template: { spec: { containers: [{ name: 'api', ...fields }] } } } }],
    })
    const load = { name, profile: 'rollout', connection: 'mixed', seconds } as const
    const run = await runUnderLoad(
      platform,
      { ...load, rate: settings.rate, users: settings.users },
      directory,
      async (mark) => {
        await Bun.sleep(2_000)
        await mark('rollout restart')
        for (let restart = 0; restart < restarts; restart++) {
          await platform.namespace.kubectl('rollout', 'restart', 'deployment/api')
          await platform.rolledOut('api')
        }
        await platform.settled()
        await mark('afterwards')
        return []
      },
    )
    runs.push(run)
    const { sent, lost, refused, closedIdle } = sumOf(run.phases, name)
    if (mustLose) {
      checks.push(
        check(
          `${name}, something is lost, refused, or closed without warning`,
          lost + refused + closedIdle > 0,
          `${lost} lost, ${refused} refused, ${closedIdle} closed while idle, of ${sent}`,
        ),
      )
    }
  }
  return { runs, checks }
}
