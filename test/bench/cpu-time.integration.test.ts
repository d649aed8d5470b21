import { expect, test } from 'bun:test'
import { cpuSeconds } from '../../bench/cpu-time.ts'
import { until } from '../support/until.ts'

/** Starts an idle process that runs the code in a child. */
function parentOf(code: string): Bun.Subprocess {
  const parent = `Bun.spawn([process.execPath, '-e', ${JSON.stringify(code)}]); setInterval(() => {}, 1_000)`
  return Bun.spawn([process.execPath, '-e', parent], { stdio: ['ignore', 'ignore', 'inherit'] })
}

test('counts the CPU time of running children', async () => {
  const parent = parentOf('for (;;);')
  try {
    const before = cpuSeconds(parent.pid)
    await until(() => cpuSeconds(parent.pid) > before + 0.3)
  } finally {
    Bun.spawnSync(['sh', '-c', `kill -9 $(cat /proc/${parent.pid}/task/*/children) ${parent.pid}`])
    await parent.exited
  }
})

test('keeps the CPU time of ended children', async () => {
  const parent = parentOf('while (process.cpuUsage().user < 200_000);')
  try {
    await until(() => cpuSeconds(parent.pid) > 0.15)
    const busy = cpuSeconds(parent.pid)
    await until(async () => {
      const children = await Bun.$`cat /proc/${parent.pid}/task/${parent.pid}/children`.text()
      return children.trim() === ''
    })
    // The kernel counts ended children in steps of 10 ms.
    expect(cpuSeconds(parent.pid)).toBeGreaterThan(busy - 0.02)
  } finally {
    parent.kill('SIGKILL')
    await parent.exited
  }
})

test('throws for a process that has ended', async () => {
  const gone = Bun.spawn(['true'])
  await gone.exited
  expect(() => cpuSeconds(gone.pid)).toThrow(`no process ${gone.pid}`)
})
