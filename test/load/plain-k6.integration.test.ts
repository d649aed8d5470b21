/**
 * Runs the scripts with plain k6, without run.ts: checks output and exit codes.
 */

import { describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { findK6 } from '../../load/k6.ts'
import { profileNames } from '../../load/profiles.ts'
import { runCommand } from '../support/command.ts'
import { root } from '../support/root.ts'
import { rightAnswers } from './right-answer.ts'
import { haveK6 } from './run-load.ts'

const timeoutMs = 60_000

/** Three instances behind one address, each with its own count. The `failing` instance always returns 503. */
function startInstances(failing?: string) {
  const answers = new Map([...rightAnswers(1, 'small'), ...rightAnswers(1, 'medium')])
  const names = ['api-1', 'api::2', 'api-3']
  const counts = new Map(names.map((name) => [name.replaceAll('::', ':'), 0]))
  let turn = 0
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request) {
      if (request.method !== 'POST') return Response.json({ status: 'ok' })
      const answer = answers.get(await request.text())
      const name = names[turn++ % names.length] as string
      const counted = name.replaceAll('::', ':')
      counts.set(counted, (counts.get(counted) ?? 0) + 1)
      const init = { headers: { 'x-served-by': name }, status: name === failing ? 503 : 200 }
      return Response.json(answer ?? {}, init)
    },
  })
  return {
    url: server.url.origin,
    counts,
    stop: () => server.stop(true),
    [Symbol.dispose]: () => void server.stop(true),
  }
}

async function runK6Alone(script: string, env: Record<string, string>) {
  const command = [findK6(process.env, root) as string, 'run', '--quiet', '--no-usage-report', '--address=']
  const { exitCode, output } = await runCommand([...command, join(root, `load/${script}.ts`)], {
    env: { CONNECT_TIMEOUT: '30s', ...env },
  })
  /** The rows of the instance table. */
  const pods = [
    ...output.matchAll(
      /^Pod: (.*) {2}\| \/payload Requests: (\d+) \| Errors: (\d+) \| Error Rate: [\d.]+% \| Avg \/payload Latency: (.*)s$/gm,
    ),
  ].map(([, name = '', requests, errors, average]) => ({
    name,
    requests: Number(requests),
    errors: Number(errors),
    average: Number(average),
  }))
  const sent = Number(/^Sent (\d+) requests in \d+\.\d\ds$/m.exec(output)?.[1])
  return { exitCode, output, pods, sent }
}

/** Some profiles need less than a second for it. */
const short = { N_REQUESTS: '60', DURATION: '1s', RATE: '30', CONCURRENCY: '2', SIZE: 'medium' }

describe.skipIf(!haveK6())('plain k6 run', () => {
  test.each([...profileNames])(
    'load/%s.ts prints the known lines, the totals and the instance table, and exits with 0',
    async (script) => {
      using service = startInstances()
      const { exitCode, output, pods, sent } = await runK6Alone(script, {
        SERVICE_URL: service.url,
        ...short,
      })
      expect(output).toMatch(/^Sending load\.\.\.$/m)
      expect(output).toMatch(/^Fatal errors: 0$/m)
      expect(output).toMatch(/^Connection errors \(pre-flight\): 0$/m)
      expect(output).toMatch(
        /^Response time: min=\d\.\d{4}s, max=\d\.\d{4}s, avg=\d\.\d{4}s, p95=\d\.\d{4}s, p99=\d\.\d{4}s$/m,
      )
      // The small payloads of `large` have their own users.
      const users = script === 'large' ? 12 : 2
      expect(output).toContain(`\n--- Per-Pod /payload Metrics Report (CONCURRENCY=${users}) ---\n`)
      expect(output).toContain(`Identity: sent ${sent} = answered ${sent} + refused 0 + lost 0\n`)
      expect(pods.map(({ name, requests, errors }) => [name, requests, errors])).toEqual(
        [...service.counts].sort().map(([name, count]) => [name, count, 0]),
      )
      for (const { average } of pods) expect(average).toBeGreaterThan(0)
      // On a loaded machine a slow response may cross a threshold of some scripts. No other threshold may fail.
      const crossed = [...output.matchAll(/^FAILED: threshold (\S+)/gm)].map(([, metric]) => metric)
      expect(crossed.filter((metric) => !/^answer/.test(metric as string))).toEqual([])
      expect(exitCode).toBe(crossed.length === 0 ? 0 : 99)
    },
    timeoutMs,
  )

  test.each([...profileNames])(
    'load/%s.ts exits with an error when a request is lost, and names the instance',
    async (script) => {
      using service = startInstances('api-3')
      const { exitCode, output, pods } = await runK6Alone(script, { SERVICE_URL: service.url, ...short })
      const lost = service.counts.get('api-3') ?? 0
      expect(lost).toBeGreaterThan(0)
      expect(output).toContain(`\nFatal errors: ${lost}\n`)
      expect(output).toContain('\nFAILED: threshold requests_lost count==0\n')
      expect(pods.map(({ name, errors }) => [name, errors])).toEqual([
        ['api-1', 0],
        ['api-3', lost],
        ['api:2', 0],
      ])
      expect(exitCode).toBe(99)
    },
    timeoutMs,
  )

  test(
    'exits with an error when no server listens',
    async () => {
      const service = startInstances()
      await service.stop()
      const { exitCode, output } = await runK6Alone('load', { SERVICE_URL: service.url, ...short })
      expect(exitCode).not.toBe(0)
      expect(output).toContain('did not return 200')
    },
    timeoutMs,
  )
})
