/**
 * Replaces the worker of the Compose platform, then its instances one after another: `make roll`, `make roll
 * VERSION=1.2.3` (and IMAGE=...). Waits for each until the balancer sends it requests.
 *
 * Exit codes: 0 if all were replaced; 1 if one did not recover, in which case the others are unchanged.
 */

import { until } from '../../support/until.ts'
import { readServerStates } from './balancer.ts'

const compose = (process.env.COMPOSE || 'docker compose').split(' ')
const statsUrl =
  process.env.BALANCER_STATS_URL || `http://127.0.0.1:${process.env.BALANCER_STATS_PORT || 8404}`

/** Longer than a shutdown (60 s) and the following start. */
const replaceTimeoutMs = 120_000

const replace = ['up', '--detach', '--no-deps', '--no-build', '--force-recreate']

/** Runs Compose on the platform and passes its output through. */
async function onPlatform(...words: string[]): Promise<void> {
  const child = Bun.spawn([...compose, '--profile', 'platform', ...words], {
    stdin: 'ignore',
    stdout: 'inherit',
    stderr: 'inherit',
  })
  const code = await child.exited
  if (code !== 0) throw new Error(`${compose.join(' ')} ${words.join(' ')} ended with ${code}`)
}

try {
  // First, because a new worker runs what an old instance accepts, but not vice versa. Tasks wait meanwhile.
  console.log('worker: replaced, while tasks wait in the queue')
  await onPlatform(...replace, '--wait', 'worker')
  for (const instance of ['api-1', 'api-2', 'api-3']) {
    const states = await readServerStates(statsUrl)
    const others = [...states].filter(([name, { status }]) => name !== instance && status === 'UP')
    if (others.length === 0) throw new Error(`${instance} is the only one that is up: it stays`)
    console.log(`${instance}: replaced, while ${others.map(([name]) => name).join(' and ')} serve`)
    await onPlatform(...replace, instance)
    await until(
      async () => {
        return (await readServerStates(statsUrl)).get(instance)?.status === 'UP'
      },
      { what: `${instance} to be up in the balancer`, timeoutMs: replaceTimeoutMs, intervalMs: 50 },
    )
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
}
