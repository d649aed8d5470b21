import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runCommand } from '../support/command.ts'
import { hasProgram } from '../support/programs.ts'

const program = [process.execPath, 'tools/progress.ts']

describe('a command with its progress', () => {
  let directory: string
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tally-progress-'))
  })
  afterEach(() => rm(directory, { recursive: true, force: true }))
  const environment = () => ({ ...process.env, PROGRESS_DIR: directory, TERM: 'xterm' })

  /** Runs it on a pseudo-terminal. */
  const runOnTerminal = (command: string) =>
    runCommand(['script', '--quiet', '--return', '--command', command, '/dev/null'], {
      env: environment(),
      timeoutMs: 60_000,
    })

  test.skipIf(!hasProgram('script', 'bsdutils'))(
    'shows the time on a terminal, and the second time also an estimate',
    async () => {
      const command = `${program.join(' ')} work echo the output`
      const first = await runOnTerminal(command)
      expect(first.exitCode).toBe(0)
      expect(first.stdout).toContain('the output\r\n')
      expect(first.stdout).toMatch(/\r\x1b\[Kwork, \d+:\d\d/)
      expect(first.stdout).not.toContain('left')
      expect(first.stdout).toEndWith('\r\x1b[K')
      expect((await runOnTerminal(command)).stdout).toMatch(/work, \d+:\d\d, about \d+:\d\d left/)
    },
    120_000,
  )

  test('shows nothing without a terminal', async () => {
    for (let run = 1; run <= 2; run++)
      expect(await runCommand([...program, 'work', 'echo', 'the output'], { env: environment() })).toEqual({
        exitCode: 0,
        stdout: 'the output\n',
        stderr: '',
        output: 'the output\n',
      })
  }, 60_000)

  test('has the exit code of the command, and a failed run gives no estimate', async () => {
    const failing = [...program, 'work', 'sh', '-c', 'echo why; exit 3']
    expect(await runCommand(failing, { env: environment() })).toMatchObject({ exitCode: 3, stdout: 'why\n' })
    expect(await Bun.file(join(directory, 'work.json')).exists()).toBe(false)
  }, 60_000)
})
