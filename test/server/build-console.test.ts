import { beforeAll, expect, test } from 'bun:test'
import type { Console } from '../../src/http/routes/console.ts'
import { buildConsole } from '../../src/server/build-console.ts'

// What the bundler makes of the console's source.

/**
 * Maximum size of all files that a browser loads, compressed by gzip, in bytes. The served compression is smaller but
 * takes long to make.
 */
const budgetBytes = 150_000

let built: Console
beforeAll(async () => {
  built = await buildConsole()
}, 120_000)

/** The texts of the files with a suffix. */
const textsOf = (suffix: string): Promise<string[]> =>
  Promise.all(
    [...built.files].filter(([name]) => name.endsWith(suffix)).map(([, { identity }]) => identity.text()),
  )

test('the page has no inline script or style, and names only files of the build', () => {
  expect(built.page).not.toMatch(/<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=/)
  const sources = [...built.page.matchAll(/(?:src|href)="console\/([^"]+)"/g)].map(([, name = '']) => name)
  expect(sources.length).toBeGreaterThanOrEqual(3)
  for (const name of sources) expect(built.files.has(name)).toBe(true)
})

test('every name has a hash of the content', () => {
  for (const name of built.files.keys()) expect(name).toMatch(/^[\w-]+-[a-z0-9]{8}\.(js|css|svg)$/)
})

test('the page starts the worker by its name in the build', async () => {
  const worker = [...built.files.keys()].find((name) => name.startsWith('dataset-worker'))
  const scripts = await textsOf('.js')
  expect(scripts.some((script) => script.includes(`${worker}`))).toBe(true)
})

test('the build contains no development code, no server code, and nothing that the policy blocks', async () => {
  const traces = [
    ...['jsxDEV', 'react-dom-client.development', 'react.development', 'Download the React DevTools'],
    ...['Bun.', 'from"node:', 'require("node:', 'api_http_requests_total', 'DATABASE_URL'],
    ...['eval(', 'new Function('],
  ]
  // The report of a failure must not contain a whole script.
  for (const script of await textsOf('.js'))
    expect(traces.filter((trace) => script.includes(trace))).toEqual([])
})

test('its size is within the limit', async () => {
  const sizes = await Promise.all(
    [...built.files].map(async ([name, { identity }]) => ({
      name,
      bytes: identity.size,
      compressed: Bun.gzipSync(await identity.bytes()).length,
    })),
  )
  const total = sizes.reduce((sum, { compressed }) => sum + compressed, 0)
  console.info(
    [...sizes, { name: 'all', bytes: '', compressed: total }]
      .map((row) => Object.values(row).join('  '))
      .join('\n'),
  )
  expect(total).toBeLessThan(budgetBytes)
})
