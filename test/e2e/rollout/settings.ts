import type { Size } from '../../../load/payloads.ts'
import { parseSettings, type Settings } from '../../../load/settings.ts'

/** How to start an instance, and which parts of the shutdown it omits. */
export type Program = keyof typeof programs

/**
 * The service, and variants with less: `complete` is the whole shutdown (docs/zero-loss.md), and each other variant
 * lacks a part of it.
 */
export const programs = {
  complete: { main: 'src/main.ts', env: {} },
  /** The window has no minimum: it ends when no client is connected or no request arrives for a while. */
  'no-minimum': { main: 'src/main.ts', env: { DRAIN_MIN: '0s' } },
  /** No window: `Connection: close` for requests in flight, then server.stop(). */
  'no-window': { main: 'src/main.ts', env: { DRAIN_MIN: '0s', DRAIN_QUIET: '0s' } },
  /** The usual shutdown: server.stop() at SIGTERM, then a wait for requests in flight. */
  'stop-at-once': { main: 'test/e2e/rollout/controls/stop-at-once.ts', env: {} },
  /** A program without a handler. */
  'exit-at-once': { main: 'test/e2e/rollout/controls/exit-at-once.ts', env: {} },
} as const

export interface RolloutSettings {
  readonly program: Program
  /** How often the balancer retries a connection that it could not open. */
  readonly balancerRetries: number
  readonly connections: readonly Settings['connection'][]
  readonly sizes: readonly Size[]
  /** The share of the measured capacity to send; leaves room for one instance less. */
  readonly loadShare: number
  /** Requests per second; null: measured. */
  readonly rate: number | null
  /** Duration of each load; the rolling and scaling must fit in. */
  readonly seconds: number
  readonly rolls: number
  /** Whether instances require a key, enforce a rate and use TLS. */
  readonly guarded: boolean
  /** Whether to kill an instance at the end, to show that the test can fail. */
  readonly kill: boolean
  readonly reportDirectory: string
}

/**
 * Reads the settings of `make rollout-test`.
 *
 * @throws Error naming the invalid variable
 * @example readRolloutSettings({ QUICK: '1' }).connections // ['mixed']
 */
export function readRolloutSettings(env: Readonly<Record<string, string | undefined>>): RolloutSettings {
  const quick = env.QUICK === '1' || env.QUICK === 'true'
  const list = (name: string, fallback: string): string[] => (env[name] || fallback).split(',')
  const number = (name: string, fallback: number): number => {
    const value = Number(env[name] || fallback)
    if (!(value > 0)) throw new Error(`${name} must be a number above 0`)
    return value
  }
  const program = env.PROGRAM || 'complete'
  if (!isProgram(program)) throw new Error(`PROGRAM must be one of ${Object.keys(programs).join(', ')}`)
  return {
    program,
    balancerRetries: parseRetries(env.BALANCER_RETRIES || '2'),
    connections: list('CONNECTIONS', quick ? 'mixed' : 'reuse,no-reuse,mixed').map(
      // The load's own parser checks these values.
      (connection) => parseSettings({ CONNECTION: connection }, {}).connection,
    ),
    sizes: list('SIZES', quick ? 'small' : 'small,1mb').map((size) => parseSettings({ SIZE: size }, {}).size),
    loadShare: number('LOAD_SHARE', 0.6),
    rate: env.RATE ? number('RATE', 1) : null,
    seconds: parseSettings({ DURATION: env.DURATION || (quick ? '35s' : '75s') }, {}).durationSeconds,
    rolls: number('ROLLS', quick ? 1 : 2),
    guarded: env.GUARDED === '1' || env.GUARDED === 'true',
    kill: env.KILL !== '0',
    reportDirectory: env.REPORT_DIR || 'reports/rollout',
  }
}

function parseRetries(text: string): number {
  if (!/^\d$/.test(text)) throw new Error('BALANCER_RETRIES must be 0 to 9')
  return Number(text)
}

function isProgram(name: string): name is Program {
  return Object.hasOwn(programs, name)
}
