import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
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
  const running = new AsyncDisposableStack()
  const port = freePort()
  const home = await mkdtemp(join(tmpdir(), 'prometheus-'))
  running.defer(() => rm(home, { recursive: true }))
  await cp(join(root, 'deploy/prometheus'), home, { recursive: true })
  const config = await Bun.file(join(home, 'prometheus.yml')).text()
  const hurried = config
    .replace('scrape_interval: 1s', 'scrape_interval: 200ms\n  evaluation_interval: 200ms')
    .replace('scrape_timeout: 1s', 'scrape_timeout: 200ms')
  if (!hurried.includes('evaluation_interval')) throw new Error('prometheus.yml has no scrape_interval: 1s')
  await Bun.write(join(home, 'prometheus.yml'), hurried)
  const discovered = targets.map(({ port, labels }) => ({ targets: [`127.0.0.1:${port}`], labels }))
  await Bun.write(join(home, 'targets/api.json'), JSON.stringify(discovered))
  const prometheus = Bun.spawn(
    [
      'prometheus',
      `--config.file=${home}/prometheus.yml`,
      `--storage.tsdb.path=${home}/data`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { stdout: 'ignore', stderr: 'ignore' },
  )
  running.defer(async () => {
    prometheus.kill('SIGKILL')
    await prometheus.exited
  })
  const api = `http://127.0.0.1:${port}`
  try {
    await until(() =>
      fetch(`${api}/-/ready`).then(
        ({ ok }) => ok,
        () => false,
      ),
    )
  } catch (error) {
    await running.disposeAsync()
    throw error
  }
  return {
    async ask(query) {
      const answer = await fetch(`${api}/api/v1/query`, {
        method: 'POST',
        body: new URLSearchParams({ query }),
      })
      return (await answer.json()) as QueryAnswer
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}
