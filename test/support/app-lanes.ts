import { expect } from 'bun:test'
import { type AppDeps, createApp, type ServiceApp } from '../../src/http/app.ts'
import type { Check } from '../../src/http/middleware/check.ts'
import type { Metrics } from '../../src/telemetry/metrics/metrics.ts'
import { appDeps } from './app-deps.ts'
import { maxBodyBytes, maxFastBytes } from './payload-requests.ts'

export const limits: AppDeps['limits'] = {
  ...appDeps().limits,
  maxNumbers: 100,
  maxTextLength: 500,
  maxBodyBytes,
  largeBodyThreshold: maxFastBytes,
}

/** A configuration. Called once for each app, so that no two share a rate limiter or a random sequence. */
export type Setup = (metrics: Metrics) => Partial<AppDeps>

/** One of two apps that must agree, with everything it logs and counts. */
class Lane {
  readonly app: ServiceApp
  /** Whether the fast path ran the checks of the last request; undefined if none ran. */
  tookFastPath: boolean | undefined
  readonly #deps: AppDeps
  readonly #lines: string[] = []

  constructor(setup: Setup, payloadFastPath: boolean, changes: Partial<AppDeps> = {}) {
    const deps = appDeps({ limits, logBytes: true, ...changes }, this.#lines)
    this.#deps = { ...deps, payloadFastPath, ...setup(deps.metrics) }
    const recordCaller: Check = () => {
      this.tookFastPath = new Error().stack?.includes('payload-fast-path.ts')
      return undefined
    }
    const applicationChecks = [recordCaller, ...(this.#deps.applicationChecks ?? [])]
    this.app = createApp({ ...this.#deps, applicationChecks })
  }

  async send(request: Request) {
    this.tookFastPath = undefined
    const response = await this.app.fetch(request)
    return {
      status: response.status,
      headers: comparable(response.headers),
      body: mask(await response.text()),
    }
  }

  /** All counts except times. */
  async counts(): Promise<string[]> {
    const { registry } = this.#deps.metrics
    const own = registry.getMetricsAsArray().filter(({ name }) => name.startsWith('api_'))
    const texts = await Promise.all(own.map(({ name }) => registry.getSingleMetricAsString(name)))
    return texts.flatMap((text) => text.split('\n')).filter((line) => !/seconds_(bucket|sum)/.test(line))
  }

  /** All log lines since the last call. */
  async logged(): Promise<string[]> {
    await this.#deps.log.flush()
    return this.#lines
      .splice(0)
      .join('')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.stringify(JSON.parse(line, maskLogMember)))
  }

  close(): void {
    this.app.requests.close()
  }
}

const generatedId = /^[0-9a-f]{16}-[0-9a-z]+$/
const maskId = (id: string): string => (generatedId.test(id) ? '(generated)' : id)

export function comparable(headers: Headers): Record<string, string> {
  const { date, ...others } = Object.fromEntries(headers)
  return { ...others, 'x-request-id': maskId(headers.get('x-request-id') ?? 'none') }
}

export function mask(body: string): string {
  return body
    .replace(/"processing_time_ms":[\d.]+/, '"processing_time_ms":0')
    .replace(/"request_id":"([^"]*)"/, (_, id: string) => `"request_id":"${maskId(id)}"`)
}

export function maskLogMember(name: string, value: unknown): unknown {
  if (name === 'time' || name === 'duration_ms' || name === 'stack') return typeof value
  // The duration of an analysis has one to four digits.
  if (name === 'response_bytes') return typeof value
  return name === 'request_id' ? maskId(String(value)) : value
}

/** A pair of lanes for a setup: the Hono app alone, and the app with the fast path. */
export function openLanes(setup: Setup, changes?: Partial<AppDeps>) {
  const lanes = { hono: new Lane(setup, false, changes), fast: new Lane(setup, true, changes) }
  return {
    ...lanes,
    /** Sends the same request to both and expects the same response and log. */
    async expectEqual(create: () => Request, settle?: () => void | Promise<void>) {
      const expected = lanes.hono.send(create())
      const actual = lanes.fast.send(create())
      expect(await actual).toEqual(await expected)
      await settle?.()
      expect(await lanes.fast.logged()).toEqual(await lanes.hono.logged())
      expect(lanes.fast.app.requests.size).toBe(0)
      expect(lanes.hono.app.requests.size).toBe(0)
      return { tookFastPath: lanes.fast.tookFastPath, status: (await actual).status }
    },
    /** Expects that both have counted alike until now. It takes longer than some requests, so not after each. */
    async expectEqualCounts() {
      expect(await lanes.fast.counts()).toEqual(await lanes.hono.counts())
    },
    [Symbol.dispose]() {
      for (const lane of Object.values(lanes)) lane.close()
    },
  }
}
