import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findK6 } from '../../load/k6.ts'
import { parseRecord, type RequestRecord } from '../../load/record.ts'
import type { Report } from '../../load/report/report.ts'
import { runCommand } from '../support/command.ts'
import { hasProgram } from '../support/programs.ts'
import { root } from '../support/root.ts'

/** Whether the tests that need k6 can run here. */
export function haveK6(): boolean {
  return hasProgram('k6', 'no package; make load builds it', findK6(process.env, root) !== null)
}

export type LoadRun = {
  exitCode: number
  stdout: string
  stderr: string
  /** Null if the run failed to start. */
  report: Report | null
  records: RequestRecord[]
  html: string
  junit: string
}

/** Runs `load/run.ts` like a user, in a temporary folder and without this environment's settings. */
export async function runLoad(profile: string, settings: Record<string, string>): Promise<LoadRun> {
  const directory = await mkdtemp(join(tmpdir(), 'load-'))
  try {
    const { PATH, HOME, K6 } = process.env
    const command = [process.execPath, join(root, 'load/run.ts'), profile]
    const { exitCode, stdout, stderr } = await runCommand(command, {
      cwd: directory,
      env: { PATH, HOME, K6, REPORT_DIR: directory, CONNECT_TIMEOUT: '30s', ...settings },
    })
    const read = async (name: string): Promise<string> => {
      const file = Bun.file(join(directory, name))
      return (await file.exists()) ? file.text() : ''
    }
    const report = await read('report.json')
    return {
      exitCode,
      stdout,
      stderr,
      report: report === '' ? null : JSON.parse(report),
      records: (await read('requests.csv'))
        .split('\n')
        .map(parseRecord)
        .filter((record) => record !== null),
      html: await read('report.html'),
      junit: await read('junit.xml'),
    }
  } finally {
    await rm(directory, { recursive: true })
  }
}
