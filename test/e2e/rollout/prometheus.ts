import { cp, mkdir, rename } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { runPrometheus } from '../../support/prometheus.ts'
import { until } from '../../support/until.ts'

const shippedConfig = resolve(import.meta.dir, '../../../deploy/prometheus/prometheus.yml')

export interface Target {
  /** The instance's name, as in X-Served-By. */
  readonly pod: string
  readonly port: number
}

export interface Prometheus {
  readonly url: string
  /** Scrapes these targets from now on. Earlier samples stay. */
  setTargets(targets: readonly Target[]): Promise<void>
  /** Resolves when an instance was scraped. */
  untilScraped(pod: string): Promise<void>
  /**
   * Resolves when no target has that name any longer. Prometheus applies target changes at most every 5 s: until then,
   * it would attribute another process on the same port to the old name.
   */
  untilForgotten(pod: string): Promise<void>
  stop(): Promise<void>
}

/** Starts Prometheus with the shipped configuration and its own targets. */
export async function startPrometheus(directory: string, port: number): Promise<Prometheus> {
  const home = join(directory, 'prometheus')
  const targetsFile = join(home, 'targets/api.json')
  await mkdir(join(home, 'targets'), { recursive: true })
  await cp(shippedConfig, join(home, 'prometheus.yml'))

  const setTargets = async (targets: readonly Target[]): Promise<void> => {
    const groups = targets.map((target) => ({
      targets: [`127.0.0.1:${target.port}`],
      labels: { pod: target.pod },
    }))
    // Prometheus rereads the file when it changes, so it must never see an incomplete one.
    await Bun.write(`${targetsFile}.new`, JSON.stringify(groups))
    await rename(`${targetsFile}.new`, targetsFile)
  }
  await setTargets([])

  const { url, child } = await runPrometheus({
    configFile: join(home, 'prometheus.yml'),
    directory: join(home, 'data'),
    address: `127.0.0.1:${port}`,
    output: { file: join(directory, 'prometheus.log') },
    detached: true,
  })
  return {
    url,
    setTargets,
    async untilScraped(pod) {
      await until(
        async () => {
          const query = encodeURIComponent(`up{pod="${pod}"} == 1`)
          const answer = (await (await fetch(`${url}/api/v1/query?query=${query}`)).json()) as {
            data: { result: unknown[] }
          }
          return answer.data.result.length > 0
        },
        { what: `Prometheus to scrape ${pod}`, timeoutMs: 20_000, intervalMs: 50 },
      )
    },
    async untilForgotten(pod) {
      await until(
        async () => {
          const answer = (await (await fetch(`${url}/api/v1/targets?state=active`)).json()) as {
            data: { activeTargets: { labels: { pod?: string } }[] }
          }
          return answer.data.activeTargets.every(({ labels }) => labels.pod !== pod)
        },
        { what: `Prometheus to forget ${pod}`, timeoutMs: 20_000, intervalMs: 50 },
      )
    },
    async stop() {
      child.signal('SIGTERM')
      await child.exited
    },
  }
}
