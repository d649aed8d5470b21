import { launchBrowser, openPageAt } from '../test/support/browser.ts'
import { startService } from '../test/support/service.ts'
import { describeMachine } from './machine.ts'
import { quantile } from './statistics.ts'

/**
 * First paint of the console: `bun --no-orphans bench/first-paint.ts`. Opens each view in Chromium with an empty cache,
 * ROUNDS times (15) in turn, and prints the time from the navigation to the first contentful paint. On a busy machine
 * only the fastest figure means something.
 */

const rounds = Number(process.env.ROUNDS ?? 15)
const views = ['analyze', 'tasks', 'documents', 'rollout']

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))

await using service = await startService({ env: { ACCESS_LOG: 'false' } })
const browser = await launchBrowser()
// From source, the service builds the console at its first request.
await measurePaint(service.url)
const times = new Map<string, number[]>(views.map((view) => [view, []]))
for (let round = 0; round < rounds; round++)
  for (const [view, ofView] of times) ofView.push(await measurePaint(`${service.url}/#/${view}`))
await browser.close()

console.log('first contentful paint in ms: fastest, median, slowest')
for (const [view, ofView] of times) {
  const figures = [Math.min(...ofView), quantile(ofView, 0.5), Math.max(...ofView)]
  console.log(`${view.padEnd(10)} ${figures.map((ms) => ms.toFixed(0)).join(', ')}`)
}
const { loadAverage, cores, cpu } = describeMachine()
console.log(`load average ${loadAverage.toFixed(1)} on ${cores} cores of ${cpu}`)

async function measurePaint(url: string): Promise<number> {
  await using opened = await openPageAt(browser, url)
  return await opened.page.evaluate<number>(`new Promise((resolve) => {
    new PerformanceObserver((list, observer) => {
      const [entry] = list.getEntriesByName('first-contentful-paint')
      if (entry === undefined) return
      observer.disconnect()
      resolve(entry.startTime)
    }).observe({ type: 'paint', buffered: true })
  })`)
}
