import { expect } from 'bun:test'
import { AxeBuilder } from '@axe-core/playwright'
import type { Browser, Page } from 'playwright-core'
import { openPageAt, type PageOptions } from '../../support/browser.ts'

/** The rules for the console: all of WCAG 2.2 A and AA, and best practices. */
const rules = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']

/**
 * Uses the console in its own page. In every case, the console must log no error, violate no policy, and request
 * nothing from another host.
 */
export async function useConsole(
  browser: Browser,
  url: string,
  use: (page: Page) => Promise<void>,
  options: PageOptions & { readonly route?: string } = {},
): Promise<void> {
  await using opened = await openPageAt(browser, `${url}/${options.route ?? ''}`, options)
  const { page, complaints, requested } = opened
  await page.getByRole('heading', { level: 1 }).waitFor()
  await use(page)
  expect(complaints).toEqual([])
  const { origin } = new URL(url)
  expect(requested.filter((each) => !each.startsWith(origin) && !each.startsWith('blob:'))).toEqual([])
}

/** The findings of axe in a page, as texts with the rule and the elements. */
export async function findBarriers(page: Page): Promise<string[]> {
  const axe = new AxeBuilder({ page }).options({ resultTypes: ['violations'] }).withTags(rules)
  // By default, the results of several frames are merged in one more page; the console has no frames.
  const { violations } = await axe.setLegacyMode().analyze()
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)
}
