import { describe, expect, test } from 'bun:test'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { spawnChild } from '../../support/child-process.ts'
import { isLinux } from '../../support/programs.ts'
import { root } from '../../support/root.ts'
import { startService } from '../../support/service.ts'
import { until } from '../../support/until.ts'

// Processes of a test must not outlive it, however it ends.

/** Programs put their files into the folder of the run, which ends with it. */
const env = { TMPDIR: process.env.TMPDIR ?? '/tmp' }

/** Starts a service, prints its address, and waits. */
const startAndStay = `
  import { startService } from './test/support/service.ts'
  const service = await startService()
  console.log(JSON.stringify({ msg: 'started', url: service.url, pid: service.pid }))
  setInterval(() => {}, 1_000)`

// Uses /proc, which only Linux has.
describe.skipIf(!isLinux())('the harness', () => {
  test.each(['SIGKILL', 'SIGTERM', 'SIGINT'] as const)(
    'a service does not outlive a test that ends by %s',
    async (signal) => {
      await using owner = spawnChild({
        command: [process.execPath, '--no-orphans', '-e', startAndStay],
        env,
        cwd: root,
      })
      const { pid } = await owner.log.line('started')
      expect(existsSync(`/proc/${pid}`)).toBe(true)
      owner.signal(signal)
      await owner.exited
      await until(() => !existsSync(`/proc/${pid}`))
    },
    60_000,
  )

  test('a disposed service leaves no folder and no process', async () => {
    let pid = 0
    let dataDir = ''
    {
      await using service = await startService()
      pid = service.pid
      dataDir = (await Bun.file(`/proc/${pid}/environ`).text())
        .split('\0')
        .filter((variable) => variable.startsWith('DATA_DIR='))
        .join()
        .slice('DATA_DIR='.length)
      expect(existsSync(join(dataDir, 'tally.db'))).toBe(true)
    }
    expect(existsSync(`/proc/${pid}`)).toBe(false)
    expect(existsSync(dataDir)).toBe(false)
  }, 60_000)

  test.each(['SIGTERM', 'SIGINT'] as const)(
    'a run that is interrupted by %s leaves no folder and no process',
    async (signal) => {
      await using run = spawnChild({
        command: [
          process.execPath,
          '--no-orphans',
          'tools/test.ts',
          'test/e2e/process/shutdown-under-load.test.ts',
        ],
        env,
        cwd: root,
      })
      const folder = await until(() => findFolder(run.pid))
      const services = await until(() => {
        const found = processesOf(folder)
        return found.length > 0 && found
      })
      run.signal(signal)
      expect(await run.exited).not.toBe(0)
      expect(existsSync(folder)).toBe(false)
      await until(() => services.every((pid) => !existsSync(`/proc/${pid}`)))
      expect(processesOf(folder)).toEqual([])
    },
    90_000,
  )
})

/** The folder of a run; tools/test.ts puts its process id into the name. */
function findFolder(pid: number): string | undefined {
  return ['/dev/shm', env.TMPDIR]
    .filter((parent) => existsSync(parent))
    .flatMap((parent) => readdirSync(parent).map((name) => join(parent, name)))
    .find((path) => path.includes(`/tally-test-${pid}-`))
}

/** The processes whose environment names a folder: services with their data in it. */
function processesOf(folder: string): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && environmentOf(pid).includes(`DATA_DIR=${folder}`))
}

function environmentOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1')
  } catch {
    return ''
  }
}
