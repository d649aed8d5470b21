import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Child, type ChildOptions, spawnChild } from './child-process.ts'
import { freePort } from './free-ports.ts'
import { root } from './root.ts'
import { until } from './until.ts'

/** The response to an instant query. */
export interface QueryAnswer {
  readonly status: string
  readonly data: { readonly result: readonly { readonly value: readonly [number, string] }[] }
}

/** What is scraped as job `api`, with the labels of its series. */
export interface ScrapeTarget {
  readonly port: number
  readonly labels: Readonly<Record<string, string>>
}

export interface PrometheusOptions extends Pick<ChildOptions, 'output' | 'detached'> {
  readonly configFile: string
  /** Where its data goes. */
  readonly directory: string
  /** Host and port. Default: a free port of this machine's loopback address. */
  readonly address?: string
}

/** Starts the machine's Prometheus with any configuration; resolves when it is ready. The caller ends it. */
export async function runPrometheus({
  configFile,
  directory,
  address = `127.0.0.1:${freePort()}`,
  ...options
}: PrometheusOptions): Promise<{ readonly url: string; readonly child: Child }> {
  const url = `http://${address}`
  const child = spawnChild({
    ...options,
    command: [
      'prometheus',
      `--config.file=${configFile}`,
      `--storage.tsdb.path=${directory}`,
      `--web.listen-address=${address}`,
    ],
  })
  try {
    await until(async () => (await fetch(`${url}/-/ready`)).ok, {
      what: 'Prometheus to be ready',
      timeoutMs: 60_000,
      intervalMs: 50,
    })
  } catch (error) {
    await child.kill()
    throw error
  }
  return { url, child }
}

/** A Prometheus that runs. Disposing of it kills it and removes its data. */
export interface Prometheus extends AsyncDisposable {
  /** Runs an instant query. */
  ask(query: string): Promise<QueryAnswer>
}

/**
 * Starts the machine's Prometheus with `deploy/prometheus` and waits until it is ready. It scrapes and evaluates five times
 * a second, because a rate needs two samples.
 */
export async function startPrometheus(targets: readonly ScrapeTarget[]): Promise<Prometheus> {
  await using resources = new AsyncDisposableStack()
  const home = await mkdtemp(join(tmpdir(), 'prometheus-'))
  resources.defer(() => rm(home, { recursive: true }))
  await cp(join(root, 'deploy/prometheus'), home, { recursive: true })
  const config = await Bun.file(join(home, 'prometheus.yml')).text()
  const hurried = config
    .replace('scrape_interval: 1s', 'scrape_interval: 200ms\n  evaluation_interval: 200ms')
    .replace('scrape_timeout: 1s', 'scrape_timeout: 200ms')
  if (!hurried.includes('evaluation_interval')) throw new Error('prometheus.yml has no scrape_interval: 1s')
  await Bun.write(join(home, 'prometheus.yml'), hurried)
  const discovered = targets.map(({ port, labels }) => ({ targets: [`127.0.0.1:${port}`], labels }))
  await Bun.write(join(home, 'targets/api.json'), JSON.stringify(discovered))
  const { url, child } = await runPrometheus({
    configFile: join(home, 'prometheus.yml'),
    directory: join(home, 'data'),
    output: 'ignore',
  })
  resources.use(child)
  const running = resources.move()
  return {
    async ask(query) {
      const answer = await fetch(`${url}/api/v1/query`, {
        method: 'POST',
        body: new URLSearchParams({ query }),
      })
      return (await answer.json()) as QueryAnswer
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}
