import { existsSync } from 'node:fs'
import { join } from 'node:path'

/** k6's exit code when a threshold was crossed; run.ts takes the thresholds from the summary. */
const thresholdsCrossed = 99

/**
 * Where k6 is: `K6`, else on the PATH, else `.tools/bin/k6` where `make load` puts it. Null when absent.
 *
 * @param root the project's folder
 */
export function findK6(env: Record<string, string | undefined>, root: string): string | null {
  const own = join(root, '.tools/bin/k6')
  return env.K6 || Bun.which('k6', { PATH: env.PATH ?? '' }) || (existsSync(own) ? own : null)
}

/**
 * Runs one of the scripts to its end. Signals that reach this process reach k6 too (a terminal sends
 * them to both), and k6 then still hands over its summary.
 *
 * @returns null when k6 ran the load to its end, else what went wrong with k6 itself
 * @throws Error when the program cannot be started
 */
export async function runK6(options: {
  k6: string
  script: string
  env: Record<string, string | undefined>
  /** Gets a line of record.ts for every request, behind what is in it. */
  recordsFile: string
  /** Gets k6's own messages, such as one for each failed request. */
  logFile: string
  debug: boolean
}): Promise<string | null> {
  const k6 = Bun.spawn(
    [
      options.k6,
      'run',
      '--quiet',
      '--no-usage-report',
      '--no-color',
      // Several runs on one machine would fight for the port of k6's control API.
      '--address=',
      '--log-format=raw',
      `--console-output=${options.recordsFile}`,
      options.script,
    ],
    {
      env: { ...options.env, LOAD_RECORDS: '1' },
      stdin: 'ignore',
      stdout: 'inherit',
      stderr: options.debug ? 'inherit' : Bun.file(options.logFile),
    },
  )
  const forward = (signal: NodeJS.Signals) => k6.kill(signal)
  process.on('SIGTERM', forward)
  // SIGINT of a terminal reaches k6 by itself; twice would make it drop its summary.
  const ignore = () => {}
  process.on('SIGINT', ignore)
  const code = await k6.exited
  process.off('SIGTERM', forward)
  process.off('SIGINT', ignore)
  return code === 0 || code === thresholdsCrossed ? null : `k6 ended with code ${code}`
}
