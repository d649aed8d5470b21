import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from '../../../support/free-ports.ts'
import { runPrometheus } from '../../../support/prometheus.ts'
import type { Namespace } from './kubectl.ts'
import type { PodLife, Pods } from './pods.ts'

/** The port of /metrics in k8s/base. */
const metricsPort = 9100
const lookMs = 200
/** The job of each Deployment, of the overlay and of the Helm release, as k8s/components/monitoring names it. */
const jobs: ReadonlyMap<string, string> = new Map([
  ['api', 'api'],
  ['worker', 'worker'],
  ['tally-api', 'api'],
  ['tally-worker', 'worker'],
])

/**
 * Runs the machine's Prometheus for a cluster that has no image of one that discovers pods: this program gives it the pods
 * in a file, with the labels of k8s/components/monitoring. The machine must be a node: the pods then reach Prometheus at the
 * node's address, and network policies admit its scrapes.
 *
 * @param directory takes its configuration, log and data.
 */
export async function runClusterPrometheus(
  namespace: Namespace,
  pods: Pods,
  directory: string,
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const address = await namespace.kubectl(
    ...['get', 'nodes', '-o', 'jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}'],
  )
  const targets = join(directory, 'targets.json')
  const config = {
    global: { scrape_interval: '1s', scrape_timeout: '1s' },
    scrape_configs: [{ job_name: 'pods', file_sd_configs: [{ files: [targets], refresh_interval: '1s' }] }],
  }
  const configFile = join(directory, 'prometheus.json')
  await Bun.write(configFile, JSON.stringify(config))
  await Bun.write(targets, '[]')
  const { url, child } = await runPrometheus({
    configFile,
    directory: join(directory, 'prometheus'),
    address: `${address}:${freePort()}`,
    output: { file: join(directory, 'prometheus.log') },
    detached: true,
  })
  let closed = false
  const following = (async () => {
    let written = ''
    while (!closed) {
      const text = JSON.stringify(targetsOf(namespace.name, pods.all()))
      if (text !== written) {
        // Whole or not at all: Prometheus may read at any time.
        await Bun.write(`${targets}.new`, text)
        await rename(`${targets}.new`, targets)
        written = text
      }
      await Bun.sleep(lookMs)
    }
  })()
  return {
    url,
    async close() {
      closed = true
      await following
      child.signal('SIGTERM')
      await child.exited
    },
  }
}

/** The pods that run, as a file for `file_sd_configs`. A terminating pod runs until it exits. */
function targetsOf(namespace: string, pods: readonly PodLife[]): object[] {
  return pods
    .filter(({ workload, address, gone }) => jobs.has(workload) && address !== '' && !gone)
    .map(({ workload, address, name, revision }) => ({
      targets: [`${address}:${metricsPort}`],
      labels: { job: jobs.get(workload), namespace, pod: name, rollouts_pod_template_hash: revision },
    }))
}
