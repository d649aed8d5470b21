import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { haveBrowser, launchBrowser } from '../../support/browser.ts'
import { freePorts } from '../../support/free-ports.ts'
import { hasProgram } from '../../support/programs.ts'
import { type Service, startService } from '../../support/service.ts'
import { until } from '../../support/until.ts'
import { type Balancer, startBalancer } from '../rollout/balancer.ts'
import { useConsole } from './console.ts'

setDefaultTimeout(300_000)

/** The slots that the balancer's configuration has; three of them are used. */
const slotCount = 5
const slots = ['api-1', 'api-2', 'api-3'] as const

const here = [haveBrowser(), hasProgram('haproxy', 'haproxy')].every(Boolean)

describe.skipIf(!here)('the console shows', () => {
  let directory: string
  let browser: Browser
  let balancer: Balancer
  const ports = freePorts(2 + slotCount)
  const [port = 0, statsPort = 0, ...slotPorts] = ports
  const services = new Map<string, Service>()

  /** Starts an instance in a slot; resolves when the balancer uses it. */
  const start = async (slot: (typeof slots)[number], version: string): Promise<void> => {
    const env = {
      PORT: String(slotPorts[slots.indexOf(slot)]),
      INSTANCE_NAME: `${slot}-${version}`,
      SERVICE_VERSION: version,
      // The balancer needs a part of it; the rest is for a loaded machine.
      DRAIN_MIN: '3s',
      DRAIN_QUIET: '500ms',
      ACCESS_LOG: 'false',
    }
    services.set(slot, await startService({ env }))
  }

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tally-console-rollout-'))
    ;[browser] = await Promise.all([launchBrowser(), ...slots.map((slot) => start(slot, 'v1'))])
    balancer = await startBalancer({ directory, port, statsPort, slotPorts, retries: 2 })
    for (const slot of slots) await balancer.untilUp(slot)
  })
  afterAll(async () => {
    await browser.close()
    await balancer.stop()
    await Promise.all([...services.values()].map((service) => service[Symbol.asyncDispose]()))
    await rm(directory, { recursive: true, force: true })
  })

  /** The running sum of the page. */
  const readLedger = async (
    page: Page,
  ): Promise<Record<'sent' | 'answered' | 'refused' | 'lost' | 'in flight', number>> =>
    page.evaluate(
      `Object.fromEntries([...document.querySelectorAll('[data-count]')].map((count) =>
        [count.dataset.count, Number(count.querySelector('.number').textContent.replaceAll(',', ''))]))`,
    )

  /** Stops the stream, and reads the sum when every request has ended. */
  const settle = async (page: Page) => {
    await page.getByRole('button', { name: 'Pause' }).click()
    return until(async () => {
      const ledger = await readLedger(page)
      return ledger['in flight'] === 0 && ledger
    })
  }

  /** The colors of the dots by the instance that answered. */
  const readColors = (page: Page): Promise<Record<string, string>> =>
    page.evaluate(
      `Object.fromEntries([...document.querySelectorAll('.dot[data-outcome=answered][data-instance]')].map((dot) =>
        [dot.dataset.instance, getComputedStyle(dot).backgroundColor]))`,
    )

  test('a roll of three instances in new colors, and not one request lost', async () => {
    await useConsole(
      browser,
      balancer.url,
      async (page) => {
        for (const slot of slots) await page.locator(`.dot[data-instance=${slot}-v1]`).first().waitFor()
        const before = await readColors(page)
        for (const slot of slots) {
          const service = services.get(slot)
          service?.signal('SIGTERM')
          expect(await service?.exited).toBe(0)
          await start(slot, 'v2')
          await balancer.untilUp(slot)
        }
        for (const slot of slots) {
          await page.locator(`.dot[data-instance=${slot}-v2]`).first().waitFor()
          await page.locator(`.card[data-instance=${slot}-v2][data-state=ready]`).waitFor()
        }
        const { sent, answered, refused, lost } = await settle(page)
        expect({ refused, lost }).toEqual({ refused: 0, lost: 0 })
        expect(answered).toBe(sent)
        expect(sent).toBeGreaterThan(50)
        const colors = { ...before, ...(await readColors(page)) }
        expect(Object.keys(colors)).toHaveLength(2 * slots.length)
        expect(new Set(Object.values(colors)).size).toBe(2 * slots.length)
        expect(await page.getByRole('figure', { name: /^Answers per second: .*lost 0/ }).count()).toBe(1)
      },
      { route: '#/rollout?run=1&rate=30' },
    )
  })

  test('a kill -9 in red, and a sum that still adds up', async () => {
    const service = services.get('api-1')
    await useConsole(
      browser,
      // Without the balancer, which would give the requests to others.
      service?.url ?? '',
      async (page) => {
        await page.locator('.dots [data-outcome=answered]').first().waitFor()
        await service?.kill()
        await page.locator('.dots [data-outcome=lost]').first().waitFor()
        await page.locator('.card[data-state=gone]').waitFor()
        await start('api-1', 'v3')
        await page.locator('.dot[data-instance=api-1-v3]').first().waitFor()
        const { sent, answered, refused, lost } = await settle(page)
        expect(lost).toBeGreaterThan(0)
        expect(answered + refused + lost).toBe(sent)
        await page.getByRole('region', { name: 'Requests without an answer' }).waitFor()
      },
      { route: '#/rollout?run=1&rate=10', expectsFailedConnections: true },
    )
  })
})
