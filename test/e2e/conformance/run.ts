import { join } from 'node:path'

/** The results of the suite's cases. */
export interface ConformanceResult {
  readonly passed: number
  /** At least 1 if the suite could not finish. */
  readonly failed: number
  readonly skipped: number
  /** The output of the run: each case with its verdict. */
  readonly output: string
}

const root = join(import.meta.dir, '../../..')
/** Longer than every timeout within a test, in ms. */
const testTimeoutMs = 120_000

/**
 * Runs the conformance suite against a running service, in a separate process.
 *
 * @param env variables for `readConformanceSettings`, besides BASE_URL
 * @param show receives the output while the suite runs
 * @example (await runConformance('http://127.0.0.1:8000')).failed // 0
 */
export async function runConformance(
  baseUrl: string,
  env: Readonly<Record<string, string>> = {},
  show: (text: string) => void = () => {},
): Promise<ConformanceResult> {
  const child = Bun.spawn(
    [process.execPath, 'test', '--no-orphans', `--timeout=${testTimeoutMs}`, './test/e2e/conformance'],
    {
      cwd: root,
      env: { PATH: process.env.PATH ?? '', ...env, BASE_URL: baseUrl },
      stdin: 'ignore',
      stdout: 'pipe',
      stderr: 'pipe',
    },
  )
  let output = ''
  const read = async (stream: ReadableStream<Uint8Array>): Promise<void> => {
    const decoder = new TextDecoder()
    for await (const chunk of stream) {
      const text = decoder.decode(chunk, { stream: true })
      output += text
      show(text)
    }
  }
  const [code] = await Promise.all([child.exited, read(child.stdout), read(child.stderr)])
  const count = (verdict: string): number =>
    Number(new RegExp(`^ *(\\d+) ${verdict}$`, 'm').exec(output)?.[1] ?? 0)
  const [passed, failed] = [count('pass'), count('fail')]
  // A file that cannot be loaded, or a run without cases, has no failed case.
  const isBroken = code !== 0 || passed === 0
  return { passed, failed: isBroken ? Math.max(1, failed) : failed, skipped: count('skip'), output }
}

/** The titles of the cases with this verdict. */
export function casesOf({ output }: ConformanceResult, verdict: 'pass' | 'skip' | 'fail'): string[] {
  const titles = [...output.matchAll(new RegExp(`^\\(${verdict}\\) (.*?)(?: \\[[\\d.]+m?s\\])?$`, 'gm'))]
  // Bun repeats failed and skipped cases at the end.
  return [...new Set(titles.map(([, title = '']) => title))]
}

/** Why the suite fails: its failed cases and its output. Empty if it passes. */
export function failuresOf(result: ConformanceResult): string[] {
  return result.failed === 0 ? [] : [...casesOf(result, 'fail'), result.output]
}
