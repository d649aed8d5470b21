import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import type { Browser } from 'playwright-core'
import { hashKey, parseApiKeys } from '../../../src/http/middleware/api-keys.ts'
import { auth } from '../../../src/http/middleware/auth.ts'
import { haveBrowser, launchBrowser, openPage } from '../../support/browser.ts'
import { listen } from '../../support/listening.ts'

setDefaultTimeout(300_000)

describe.skipIf(!haveBrowser())('/docs in a browser', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await launchBrowser()
  })
  afterAll(() => browser.close())

  test('lists all operations and requests nothing from another host', async () => {
    await using server = listen()
    await using opened = await openPage(browser)
    const { page, requested } = opened
    await page.goto(`${server.url}/docs`)
    await page.locator('.opblock').first().waitFor()
    const listed = await page.evaluate<string[]>(
      "[...document.querySelectorAll('.opblock')].map(({ id }) => id)",
    )
    const { paths } = (await (await fetch(`${server.url}/openapi.json`)).json()) as {
      paths: Record<string, Record<string, { operationId?: string; tags?: string[] }>>
    }
    const operations = Object.values(paths)
      .flatMap((item) => Object.values(item))
      .filter(({ operationId }) => operationId !== undefined)
    expect(operations.length).toBeGreaterThan(4)
    for (const { operationId, tags } of operations)
      expect(listed).toContain(`operations-${tags?.[0]}-${operationId}`)
    expect(await page.title()).toBe('Tally API')
    const hosts = requested.filter((url) => !url.startsWith('data:')).map((url) => new URL(url).origin)
    expect(hosts.length).toBeGreaterThanOrEqual(5)
    expect(hosts.filter((origin) => origin !== server.url)).toEqual([])
  })

  test('accepts credentials where the service requires them, keeps and sends them', async () => {
    const keys = parseApiKeys(`browser:${hashKey('tally_browser').toHex()}`)
    await using server = listen({
      security: { keys: true, tokens: false, metricsToken: false, adminToken: false, rateLimit: false },
      applicationChecks: [auth({ keys: () => keys })],
    })
    await using opened = await openPage(browser)
    const { page } = opened
    await page.goto(`${server.url}/docs`)
    await page.locator('.btn.authorize').first().click()
    await page.locator('.auth-container input').first().fill('tally_browser')
    await page.locator('.auth-container .btn.authorize').first().click()
    await page.reload()
    await page.locator('#operations-payload-analyzePayload .opblock-summary-control').click()
    await page.locator('#operations-payload-analyzePayload .execute').click()
    const status = page.locator('.live-responses-table tbody .response-col_status').first()
    await status.waitFor()
    expect(await status.textContent()).toStartWith('200')
  })
})
