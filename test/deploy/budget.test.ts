import { describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { parseConfig } from '../../src/config.ts'
import { closeTimeoutMs, shutdownBudgetMs } from '../../src/lifecycle/index.ts'
import { root } from '../support/root.ts'

const defaults = parseConfig({})
if (!defaults.ok) throw new Error('the defaults are no configuration')
const { config } = defaults

const processMs = shutdownBudgetMs({
  preStopMs: 0,
  drainMaxMs: config.DRAIN_MAX,
  shutdownTimeoutMs: config.SHUTDOWN_TIMEOUT,
  closeTimeoutMs,
})
/** The log is flushed last (handleSignals). */
const flushMs = 2_000
/** A supervisor waits one second longer than its processes may take, then closes like they do (processes.ts). */
const supervisorMs = processMs + 1_000 + closeTimeoutMs

const seconds = (text: string): number => {
  const [, amount, unit] = /^(\d+)(s|m)?$/.exec(text) ?? []
  if (amount === undefined) throw new Error(`not a time: ${text}`)
  return Number(amount) * (unit === 'm' ? 60 : 1)
}

describe('the grace period of each platform covers the longest shutdown', () => {
  test('in compose.yaml, for every service of our image', async () => {
    const compose = Bun.YAML.parse(await Bun.file(join(root, 'compose.yaml')).text()) as {
      services: Record<
        string,
        { image: string; stop_grace_period?: string; environment?: Record<string, string> }
      >
    }
    const ours = Object.entries(compose.services).filter(([, { image }]) => image.includes('tally'))
    expect(ours.map(([name]) => name)).toEqual(expect.arrayContaining(['api', 'api-1', 'api-2', 'api-3']))
    for (const [name, service] of ours) {
      const grace = service.stop_grace_period ?? '10s'
      expect([name, seconds(grace) * 1_000 >= processMs + flushMs]).toEqual([name, true])
      // The service's warning uses this number, so it must be correct.
      expect([name, service.environment?.GRACE_PERIOD]).toEqual([name, grace])
    }
  })

  test('in the systemd unit, for a supervisor and its processes', async () => {
    const unit = await Bun.file(join(root, 'deploy/systemd/tally.service')).text()
    const stop = /^TimeoutStopSec=(.+)$/m.exec(unit)?.[1] ?? ''
    expect(/^Environment=WEB_CONCURRENCY=2$/m.test(unit)).toBe(true)
    expect(seconds(stop) * 1_000).toBeGreaterThanOrEqual(supervisorMs + flushMs)
    expect(/^Environment=GRACE_PERIOD=(.+)$/m.exec(unit)?.[1]).toBe(stop)
  })
})

test('DRAIN_MIN of the image is longer than HAProxy takes to notice that an instance is not ready', async () => {
  const [haproxy, dockerfile] = await Promise.all(
    ['deploy/haproxy/haproxy.cfg', 'Dockerfile'].map((path) => Bun.file(join(root, path)).text()),
  )
  const [, inter, fastInter, fall] =
    /default-server check inter (\d+)ms fastinter (\d+)ms downinter \d+ms fall (\d+)/.exec(haproxy ?? '') ??
    []
  const drainMin = /^ +DRAIN_MIN=(\S+) ?\\?$/m.exec(dockerfile ?? '')?.[1] ?? ''
  const noticeMs = Number(inter) + (Number(fall) - 1) * Number(fastInter)
  expect(seconds(drainMin) * 1_000).toBeGreaterThan(2 * noticeMs)
})

describe('the side that closes an idle connection is never the one that serves it', () => {
  const haproxy = Bun.file(join(root, 'deploy/haproxy/haproxy.cfg')).text()
  const nginx = Bun.file(join(root, 'deploy/nginx/tally.conf')).text()

  test("HAProxy's time limits are below the service's IDLE_TIMEOUT, and its patience above REQUEST_TIMEOUT", async () => {
    const timeouts = new Map(
      [...(await haproxy).matchAll(/^ {2}timeout (\S+) (\d+)s$/gm)].map(([, name, s]) => [
        name,
        Number(s) * 1_000,
      ]),
    )
    expect(timeouts.size).toBeGreaterThan(5)
    for (const ms of timeouts.values()) expect(ms).toBeLessThan(config.IDLE_TIMEOUT)
    expect(timeouts.get('server')).toBeGreaterThan(config.REQUEST_TIMEOUT)
  })

  test('nginx closes idle connections before a draining process does, and waits longer than REQUEST_TIMEOUT', async () => {
    const upstream = /upstream tally \{[^}]*?\n\s*keepalive_timeout (\d+)s;/.exec(await nginx)?.[1]
    expect(Number(upstream) * 1_000).toBeLessThan(config.DRAIN_QUIET)
    const read = /proxy_read_timeout (\d+)s;/.exec(await nginx)?.[1]
    expect(Number(read) * 1_000).toBeGreaterThan(config.REQUEST_TIMEOUT)
    expect(Number(read) * 1_000).toBeLessThan(config.IDLE_TIMEOUT)
  })
})
