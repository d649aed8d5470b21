/**
 * Runs the conformance suite against the service at BASE_URL: `make conformance BASE_URL=…`. `settings.ts` and
 * docs/conformance.md list the other variables.
 *
 * Exit code: 0 when every case passed or was skipped for a stated reason; otherwise 1.
 */
import { runConformance } from './run.ts'
import { type ConformanceSettings, readConformanceSettings } from './settings.ts'

/** Timeout of the first response, in ms. */
const firstAnswerMs = 5_000

process.exit(await main())

async function main(): Promise<number> {
  const env = { ...process.env, BASE_URL: process.env.BASE_URL || 'http://127.0.0.1:8000' }
  let settings: ConformanceSettings
  try {
    settings = readConformanceSettings(env)
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    return 1
  }
  const { baseUrl, insecure } = settings
  try {
    await fetch(`${baseUrl}/health`, {
      signal: AbortSignal.timeout(firstAnswerMs),
      tls: { rejectUnauthorized: !insecure },
    })
  } catch (error) {
    console.error(
      `Nothing answers at ${baseUrl}: ${error instanceof Error ? error.message : error}\n` +
        'Start the service with make dev, or name its address: make conformance BASE_URL=http://127.0.0.1:8000\n' +
        'With a self-signed certificate also: INSECURE=1',
    )
    return 1
  }
  const given = Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined)
  const { passed, failed, skipped } = await runConformance(baseUrl, Object.fromEntries(given), (text) =>
    process.stdout.write(text),
  )
  console.log(`Conformance of ${baseUrl}: ${passed} passed, ${failed} failed, ${skipped} left out`)
  return failed === 0 ? 0 : 1
}
