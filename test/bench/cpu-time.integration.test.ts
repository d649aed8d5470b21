import { expect, test } from 'bun:test'
import { cpuSeconds } from '../../bench/cpu-time.ts'
import { until } from '../support/until.ts'

/** A process that does nothing itself and runs this in a child of its own. */
function parentOf(code: string): Bun.Subprocess {
  const parent = `Bun.spawn([process.execPath, '-e', ${JSON.stringify(code)}]); setInterval(() => {}, 1_000)`
  return Bun.spawn([process.execPath, '-e', parent], { stdio: ['ignore', 'ignore', 'inherit'] })
}

test('counts what the children of a process use, while they run', async () => {
  const parent = parentOf('for (;;);')
  try {
    const before = cpuSeconds(parent.pid)
    await until(() => cpuSeconds(parent.pid) > before + 0.3)
  } finally {
    Bun.spawnSync(['sh', '-c', `kill -9 $(cat /proc/${parent.pid}/task/*/children) ${parent.pid}`])
    await parent.exited
  }
})

test('keeps what they used when they have ended', async () => {
  const parent = parentOf('while (process.cpuUsage().user < 200_000);')
  try {
    await until(() => cpuSeconds(parent.pid) > 0.15)
    const busy = cpuSeconds(parent.pid)
    await until(async () => {
      const children = await Bun.$`cat /proc/${parent.pid}/task/${parent.pid}/children`.text()
      return children.trim() === ''
    })
    // The kernel tells it in steps of 10 ms then.
    expect(cpuSeconds(parent.pid)).toBeGreaterThan(busy - 0.02)
  } finally {
    parent.kill('SIGKILL')
    await parent.exited
  }
})

test('there is no time of a process that is gone', async () => {
  const gone = Bun.spawn(['true'])
  await gone.exited
  expect(() => cpuSeconds(gone.pid)).toThrow(`there is no process ${gone.pid}`)
})
