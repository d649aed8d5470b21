import type { Browser, Page } from 'playwright-core'
import { slots, startInstances } from '../test/e2e/browser/instances.ts'
import { launchBrowser, openPage, type PageOptions } from '../test/support/browser.ts'
import { startService } from '../test/support/service.ts'

// Takes the screenshots of docs/console.md with Chromium and HAProxy: bun --no-orphans tools/console-images.ts

const folder = new URL('../docs/images/', import.meta.url).pathname

/** Opens a page, prepares it, and saves a screenshot. */
async function take(
  browser: Browser,
  name: string,
  url: string,
  options: PageOptions,
  prepare: (page: Page) => Promise<unknown>,
): Promise<void> {
  await using opened = await openPage(browser, options)
  const { page } = opened
  await page.goto(url)
  await prepare(page)
  await page.screenshot({ path: `${folder}console-${name}.png` })
}

/** Numbers around two values, the same in every run. */
const numbers = Array.from({ length: 180 }, (_, i) => {
  const noise = Math.sin(i * 12.9898) * 43758.5453
  return ((i % 3 === 0 ? 40 : 25) + 8 * (noise - Math.floor(noise)) + (i % 7)).toFixed(1)
}).join(' ')

const browser = await launchBrowser()
{
  await using service = await startService({ env: { DEBUG_ROUTES: 'true', INSTANCE_NAME: 'api-1' } })
  const post = (path: string, body: unknown) =>
    fetch(service.url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
  await take(browser, 'analyze', service.url, { height: 960, colorScheme: 'light' }, async (page) => {
    await page.getByLabel('Numbers', { exact: true }).fill(numbers)
    await page.getByRole('button', { name: 'Analyze' }).click()
    await page.getByRole('figure', { name: 'Box plot' }).waitFor()
  })
  for (const payload of ['first', { numbers: [1, 2, 3], text: 'for later' }, 'a third text'])
    await post('/tasks', { payload })
  await post('/tasks', { kind: 'demo', payload: { seconds: 0, fail: 'permanently' } })
  await post('/tasks', { kind: 'demo', payload: { seconds: 50 } })
  await take(
    browser,
    'tasks',
    `${service.url}/#/tasks`,
    { height: 760, colorScheme: 'dark' },
    async (page) => {
      await page.getByRole('row').filter({ hasText: 'failed' }).getByRole('link').click()
      await page.getByText('failed on demand').waitFor()
      await page.getByRole('row').filter({ hasText: 'processing' }).waitFor()
    },
  )
}
{
  await using instances = await startInstances()
  const url = `${instances.url}/#/rollout?run=1&rate=30`
  const phone: PageOptions = { width: 360, height: 760, colorScheme: 'dark' }
  const roll = async (page: Page): Promise<void> => {
    await page.locator('.dot[data-instance=api-3-v1]').first().waitFor()
    for (const slot of slots.slice(0, 2)) await instances.replace(slot, 'v2')
    for (const slot of slots.slice(0, 2)) await page.locator(`.card[data-instance=${slot}-v2]`).waitFor()
  }
  await Promise.all([
    take(browser, 'rollout', url, { height: 1040, colorScheme: 'light' }, roll),
    take(browser, 'phone', url, phone, (page) =>
      page.locator('.dot[data-instance=api-2-v2]').first().waitFor(),
    ),
  ])
}
await browser.close()
