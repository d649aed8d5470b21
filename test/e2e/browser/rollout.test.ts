import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import type { Browser, Page } from 'playwright-core'
import { haveBrowser, launchBrowser } from '../../support/browser.ts'
import { hasProgram } from '../../support/programs.ts'
import { until } from '../../support/until.ts'
import { useConsole } from './console.ts'
import { type Instances, slots, startInstances } from './instances.ts'

setDefaultTimeout(300_000)

const here = [haveBrowser(), hasProgram('haproxy', 'haproxy')].every(Boolean)

describe.skipIf(!here)('the console shows', () => {
  let browser: Browser
  let instances: Instances
  beforeAll(async () => {
    ;[browser, instances] = await Promise.all([launchBrowser(), startInstances()])
  })
  afterAll(async () => {
    await browser.close()
    await instances[Symbol.asyncDispose]()
  })

  /** The running sum on the page. */
  const readLedger = async (
    page: Page,
  ): Promise<Record<'sent' | 'answered' | 'refused' | 'lost' | 'in flight', number>> =>
    page.evaluate(
      `Object.fromEntries([...document.querySelectorAll('[data-count]')].map((count) =>
        [count.dataset.count, Number(count.querySelector('.number').textContent.replaceAll(',', ''))]))`,
    )

  /** Stops the stream and reads the sum when every request has ended. */
  const settle = async (page: Page) => {
    await page.getByRole('button', { name: 'Pause' }).click()
    return until(async () => {
      const ledger = await readLedger(page)
      return ledger['in flight'] === 0 && ledger
    })
  }

  /** The colors of the dots by instance. */
  const readColors = (page: Page): Promise<Record<string, string>> =>
    page.evaluate(
      `Object.fromEntries([...document.querySelectorAll('.dot[data-outcome=answered][data-instance]')].map((dot) =>
        [dot.dataset.instance, getComputedStyle(dot).backgroundColor]))`,
    )

  test('a roll of three instances in new colors, and not one request lost', async () => {
    await useConsole(
      browser,
      instances.url,
      async (page) => {
        for (const slot of slots) await page.locator(`.dot[data-instance=${slot}-v1]`).first().waitFor()
        const before = await readColors(page)
        for (const slot of slots) await instances.replace(slot, 'v2')
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
    const service = instances.get('api-1')
    await useConsole(
      browser,
      // Without the balancer, which would send the requests to other instances.
      service.url,
      async (page) => {
        await page.locator('.dots [data-outcome=answered]').first().waitFor()
        await service.kill()
        await page.locator('.dots [data-outcome=lost]').first().waitFor()
        await page.locator('.card[data-state=gone]').waitFor()
        await instances.start('api-1', 'v3')
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
