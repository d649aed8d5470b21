import { appendFile, mkdir, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { recordHeader } from '../../../load/record.ts'
import type { Report } from '../../../load/report/report.ts'
import { spawnChild } from '../../support/child-process.ts'
import { until } from '../../support/until.ts'
import type { Mark } from './scenario.ts'

const script = resolve(import.meta.dir, '../../../load/run.ts')

/** A load, running or finished, with its report in `directory`. */
export interface RunningLoad {
  /** Resolves when the first request was recorded. */
  readonly begun: Promise<void>
  readonly mark: Mark
  /** True when the load is over: later changes to the platform happen without load. */
  isOver(): boolean
  end(): Promise<LoadResult>
}

export interface LoadResult {
  readonly exitCode: number
  readonly report: Report
  /** The text of requests.csv and of the events. */
  readonly records: string
  readonly events: string
}

/**
 * Starts `load/run.ts` as a user would in a terminal.
 *
 * @param settings of load/settings.ts, by environment variable
 */
export async function startLoad(
  profile: 'load' | 'rollout' | 'spike',
  directory: string,
  settings: Readonly<Record<string, string>>,
): Promise<RunningLoad> {
  await mkdir(directory, { recursive: true })
  const eventsFile = join(directory, 'events.txt')
  const recordsFile = join(directory, 'requests.csv')
  await Bun.write(eventsFile, '')
  await Bun.write(recordsFile, '')
  const { K6 } = process.env
  const program = spawnChild({
    detached: true,
    command: [process.execPath, script, profile],
    env: { ...(K6 ? { K6 } : {}), REPORT_DIR: directory, EVENTS_FILE: eventsFile, ...settings },
    output: { file: join(directory, 'report.txt') },
  })
  let over = false
  const exited = program.exited.finally(() => {
    over = true
  })
  const read = (name: string): Promise<string> => Bun.file(join(directory, name)).text()

  return {
    begun: until(
      async () => {
        if (over) throw new Error(`the load ended at once; see ${directory}/report.txt and report.txt.err`)
        return (await stat(recordsFile)).size > recordHeader.length + 1
      },
      { what: 'the load to begin', timeoutMs: 40_000, intervalMs: 50 },
    ).then(() => {}),
    mark: (label) => appendFile(eventsFile, `${Date.now()} ${label}\n`),
    isOver: () => over,
    async end() {
      const exitCode = await exited
      const reportFile = Bun.file(join(directory, 'report.json'))
      if (!(await reportFile.exists()))
        throw new Error(`the load made no report:\n${await read('report.txt.err')}`)
      return {
        exitCode,
        report: await reportFile.json(),
        records: await read('requests.csv'),
        events: await read('events.txt'),
      }
    },
  }
}
