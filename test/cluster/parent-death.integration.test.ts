import { describe, expect, test } from 'bun:test'
import { spawnChild } from '../support/child-process.ts'
import { isLinux } from '../support/programs.ts'
import { root } from '../support/root.ts'
import { until } from '../support/until.ts'
import { isAlive } from '../support/worker-processes.ts'

/** A process that runs `work`, which calls `report` when the test may continue. */
const childProgram = (work: string): string => `
  import { endWithSupervisor } from './src/cluster/parent-death.ts'
  endWithSupervisor(1_000)
  const report = () => console.log(JSON.stringify({ msg: 'running', pid: process.pid }))
  setInterval(() => {}, 1_000)
  ${work}`

/** Its parent, which keeps running. */
const parentProgram = (work: string): string => `
  Bun.spawn([process.execPath, '-e', ${JSON.stringify(childProgram(work))}], {
    stdin: 'ignore', stdout: 'inherit', stderr: 'inherit', detached: true, ipc() {} })
  setInterval(() => {}, 1_000)`

/** Starts both and waits until the child works. */
async function start(work: string) {
  const parent = spawnChild({ command: [process.execPath, '-e', parentProgram(work)], cwd: root })
  return { parent, pid: Number((await parent.log.line('running')).pid) }
}

// Linux only: the kernel sends the signal.
describe.skipIf(!isLinux())('when its parent is killed, a process ends', () => {
  test('that waits for events', async () => {
    const { parent, pid } = await start('report()')
    await parent.kill()
    await until(async () => !(await isAlive(pid)))
  }, 60_000)

  test('that is suspended', async () => {
    const { parent, pid } = await start('report()')
    process.kill(pid, 'SIGSTOP')
    await parent.kill()
    await until(async () => !(await isAlive(pid)))
  }, 60_000)

  test('that is in an endless loop', async () => {
    const { parent, pid } = await start('setTimeout(() => { report(); for (;;); }, 10)')
    await parent.kill()
    await until(async () => !(await isAlive(pid)))
  }, 60_000)
})

test('a process that works for long, turn by turn, is not killed', async () => {
  // More CPU time than one time slice.
  const work = `
    report()
    const used = () => { const { user, system } = process.cpuUsage(); return (user + system) / 1_000 }
    const burn = (ms) => { const start = used(); while (used() - start < ms); }
    for (let i = 0; i < 4; i++) { burn(300); await Bun.sleep(1_100) }
    console.log(JSON.stringify({ msg: 'done' }))`
  const { parent, pid } = await start(work)
  await using _ = parent
  await until(() => parent.log.lines.some(({ msg }) => msg === 'done'))
  expect(await isAlive(pid)).toBe(true)
}, 60_000)
