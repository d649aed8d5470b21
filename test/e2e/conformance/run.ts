import { join } from 'node:path'

/** The results of the cases of the suite. */
export interface ConformanceResult {
  readonly passed: number
  /** At least 1 when the suite could not be run to its end. */
  readonly failed: number
  readonly skipped: number
  /** What the run printed: each case with its verdict. */
  readonly output: string
}

const root = join(import.meta.dir, '../../..')
/** Above every deadline within a test, in ms. */
const testTimeoutMs = 120_000

/**
 * Runs the conformance suite against a running service, in a process of its own.
 *
 * @param env what `readConformanceSettings` reads beside BASE_URL
 * @param show called with what the run prints, while it prints
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
  // A file that cannot be loaded, or a run without a single case, has no failed case.
  const isBroken = code !== 0 || passed === 0
  return { passed, failed: isBroken ? Math.max(1, failed) : failed, skipped: count('skip'), output }
}

/** The cases of that verdict, by their titles. */
export function casesOf({ output }: ConformanceResult, verdict: 'pass' | 'skip' | 'fail'): string[] {
  const titles = [...output.matchAll(new RegExp(`^\\(${verdict}\\) (.*?)(?: \\[[\\d.]+m?s\\])?$`, 'gm'))]
  // Bun prints failed and skipped cases again at the end.
  return [...new Set(titles.map(([, title = '']) => title))]
}

/** Why the suite does not pass: its failed cases, and all that it printed. Empty when it passes. */
export function failuresOf(result: ConformanceResult): string[] {
  return result.failed === 0 ? [] : [...casesOf(result, 'fail'), result.output]
}
