import { type Browser, chromium, type Page } from 'playwright-core'
import { hasProgram } from './programs.ts'

const program = Bun.which('chromium') ?? Bun.which('chromium-browser') ?? Bun.which('google-chrome')

/** Whether the tests in a browser can run here. */
export function haveBrowser(): boolean {
  return hasProgram('chromium', 'chromium', program !== null)
}

/** How long an action or a condition in a page may take on a loaded machine, in ms. */
const timeoutMs = 45_000

/**
 * Features of Chromium that are switched off: pages of its address bar, which each new window would render and which take a
 * third of its CPU time. A second list replaces that of Playwright, so what tests need of it is repeated: no upgrade to
 * HTTPS, and fewer requests of the browser itself.
 */
const disabledFeatures = [
  'WebUIOmniboxPopup',
  'WebUIOmniboxAimPopup',
  'HttpsFirstBalancedModeAutoEnable',
  'HttpsUpgrades',
  'AimEnabled',
  'MediaRouter',
  'NetworkTimeServiceQuerying',
  'OptimizationHints',
  'PreconnectToSearch',
]

/** A headless Chromium. Its profile is deleted with it. */
export function launchBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: program ?? 'chromium',
    // The second flag: a container has a small /dev/shm.
    args: ['--no-sandbox', '--disable-dev-shm-usage', `--disable-features=${disabledFeatures.join()}`],
    timeout: 2 * timeoutMs,
  })
}

export interface PageOptions {
  readonly width?: number
  readonly height?: number
  readonly colorScheme?: 'light' | 'dark'
  readonly forcedColors?: 'active'
  readonly reducedMotion?: 'reduce'
  /** A script that runs in the page before its own. */
  readonly script?: string
  /** Expected status codes of failed responses, which browsers log as errors. */
  readonly expectedStatuses?: readonly number[]
  /** Whether the test expects failed connections. */
  readonly expectsFailedConnections?: boolean
}

/** A page with a new profile, which records its errors. */
export interface WatchedPage extends AsyncDisposable {
  readonly page: Page
  /** Errors in the console, uncaught errors, and violations of the page's policy. */
  readonly complaints: readonly string[]
  /** Every URL that the page has requested, including those that its policy blocked. */
  readonly requested: readonly string[]
}

/**
 * Opens a page and loads a URL. On a loaded machine, Chromium may close a new page before it has loaded anything; then
 * opens another one.
 */
export async function openPageAt(browser: Browser, url: string, options?: PageOptions): Promise<WatchedPage> {
  for (let attempt = 1; ; attempt++) {
    const opened = await openPage(browser, options)
    try {
      await opened.page.goto(url)
      return opened
    } catch (error) {
      const isClosed = opened.page.isClosed() && browser.isConnected()
      await opened[Symbol.asyncDispose]()
      if (!isClosed || attempt === 3) throw error
    }
  }
}

/** Opens a page. Dispose of it to close it. */
export async function openPage(browser: Browser, options: PageOptions = {}): Promise<WatchedPage> {
  const {
    width = 1280,
    height = 900,
    script,
    expectedStatuses = [],
    expectsFailedConnections,
    ...emulated
  } = options
  const isExpected = (text: string): boolean => {
    const status = /the server responded with a status of (\d+)/.exec(text)?.[1]
    return (
      expectedStatuses.includes(Number(status)) ||
      (expectsFailedConnections === true && /net::ERR_/.test(text))
    )
  }
  const context = await browser.newContext({ viewport: { width, height }, ...emulated })
  context.setDefaultTimeout(timeoutMs)
  const page = await context.newPage()
  const complaints: string[] = []
  const requested: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error' && !isExpected(message.text())) complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(String(error.stack)))
  page.on('request', (request) => requested.push(request.url()))
  await page.addInitScript({
    content: `document.addEventListener('securitypolicyviolation', (event) =>
      console.error('policy', event.violatedDirective, event.blockedURI, event.sample))`,
  })
  if (script !== undefined) await page.addInitScript({ content: script })
  return { page, complaints, requested, [Symbol.asyncDispose]: () => context.close() }
}
