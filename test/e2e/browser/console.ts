import { expect } from 'bun:test'
import { AxeBuilder } from '@axe-core/playwright'
import type { Browser, Page } from 'playwright-core'
import { openPage, type PageOptions } from '../../support/browser.ts'

/** The rules that the console keeps: all of WCAG 2.2 A and AA, and good practice. */
const rules = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']

/**
 * Uses the console in a page of its own. However it is used, it must log no error, keep its policy, and ask no other host
 * for anything.
 */
export async function useConsole(
  browser: Browser,
  url: string,
  use: (page: Page) => Promise<void>,
  options: PageOptions & { readonly route?: string } = {},
): Promise<void> {
  await using opened = await openPage(browser, options)
  const { page, complaints, requested } = opened
  await page.goto(`${url}/${options.route ?? ''}`)
  await page.getByRole('heading', { level: 1 }).waitFor()
  await use(page)
  expect(complaints).toEqual([])
  const { origin } = new URL(url)
  expect(requested.filter((each) => !each.startsWith(origin) && !each.startsWith('blob:'))).toEqual([])
}

/** The findings of axe in a page, as texts that name the rule and the elements. */
export async function findBarriers(page: Page): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page }).withTags(rules).analyze()
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)
}
