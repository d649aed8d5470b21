import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { hashKey, parseApiKeys } from '../../../src/http/middleware/api-keys.ts'
import { auth } from '../../../src/http/middleware/auth.ts'
import { haveBrowser, startBrowser } from '../../support/browser.ts'
import { type Listening, listen } from '../../support/listening.ts'
import { until } from '../../support/until.ts'

setDefaultTimeout(60_000)

let server: Listening
beforeAll(() => {
  server = listen()
})
afterAll(() => server[Symbol.asyncDispose]())

describe.skipIf(!haveBrowser())('/docs in a browser', () => {
  test('a browser lists all operations on /docs and requests nothing from another host', async () => {
    await using browser = await startBrowser()
    await browser.open(`${server.url}/docs`)
    const listed = await until(async () => {
      const ids = await browser.evaluate("[...document.querySelectorAll('.opblock')].map(({ id }) => id)")
      return Array.isArray(ids) && ids.length > 0 && ids
    })
    const { paths } = (await (await fetch(`${server.url}/openapi.json`)).json()) as {
      paths: Record<string, Record<string, { operationId?: string; tags?: string[] }>>
    }
    const operations = Object.values(paths)
      .flatMap((item) => Object.values(item))
      .filter(({ operationId }) => operationId !== undefined)
    expect(operations.length).toBeGreaterThan(4)
    for (const { operationId, tags } of operations)
      expect(listed).toContain(`operations-${tags?.[0]}-${operationId}`)
    expect(await browser.evaluate('document.title')).toBe('Tally API')
    const hosts = browser.requested
      .filter((url) => !url.startsWith('data:'))
      .map((url) => new URL(url).origin)
    expect(hosts.length).toBeGreaterThanOrEqual(5)
    expect(hosts.filter((origin) => origin !== server.url)).toEqual([])
  })

  test('the page accepts credentials where the service requires them, and sends them', async () => {
    const keys = parseApiKeys(`browser:${hashKey('tally_browser').toHex()}`)
    await using guarded = listen({
      security: { keys: true, tokens: false, metricsToken: false, adminToken: false, rateLimit: false },
      applicationChecks: [auth({ keys: () => keys })],
    })
    await using browser = await startBrowser()
    await browser.open(`${guarded.url}/docs`)
    const click = (selector: string) =>
      until(() =>
        browser.evaluate(
          `(document.querySelector('${selector}')?.click(), !!document.querySelector('${selector}'))`,
        ),
      )
    await click('.btn.authorize')
    await until(() => browser.evaluate("document.querySelectorAll('.auth-container input').length === 2"))
    // The page reacts to the event, as when a person types, not to the property.
    await browser.evaluate(`(() => {
        const field = document.querySelector('.auth-container input')
        Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set.call(field, 'tally_browser')
        field.dispatchEvent(new Event('input', { bubbles: true }))
        return true
      })()`)
    await click('.auth-container .btn.authorize')
    await click('.btn-done')
    await click('#operations-payload-analyzePayload .opblock-summary-control')
    await click('#operations-payload-analyzePayload .execute')
    const status = await until(() =>
      browser.evaluate(
        "document.querySelector('.live-responses-table tbody .response-col_status')?.textContent.trim()",
      ),
    )
    expect(status).toStartWith('200')
  })
})
