import { existsSync } from 'node:fs'
import { join } from 'node:path'

/** k6's exit code for a crossed threshold; run.ts reads the thresholds from the summary. */
const thresholdsCrossed = 99

/**
 * The path of k6: `K6`, else from the PATH, else `.tools/bin/k6`, where `make load` installs it. Null if absent.
 *
 * @param root the project's folder
 */
export function findK6(env: Record<string, string | undefined>, root: string): string | null {
  const own = join(root, '.tools/bin/k6')
  return env.K6 || Bun.which('k6', { PATH: env.PATH ?? '' }) || (existsSync(own) ? own : null)
}

/**
 * Runs one of the scripts to its end. Signals to this process also reach k6 (a terminal sends them to both); k6 then
 * still writes its summary.
 *
 * @returns null if k6 finished the run, else k6's failure
 * @throws Error if the program cannot be started
 */
export async function runK6(options: {
  k6: string
  script: string
  env: Record<string, string | undefined>
  /** k6 appends a line of record.ts for every request. */
  recordsFile: string
  /** For k6's own messages, such as one for each failed request. */
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
      // Disable k6's control API: concurrent runs on one machine would compete for its port.
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
  // A terminal sends SIGINT to k6 as well. A second one would make k6 drop its summary.
  const ignore = () => {}
  process.on('SIGINT', ignore)
  const code = await k6.exited
  process.off('SIGTERM', forward)
  process.off('SIGINT', ignore)
  return code === 0 || code === thresholdsCrossed ? null : `k6 exited with code ${code}`
}
