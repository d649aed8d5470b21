import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { root } from '../../support/root.ts'
import { until } from '../../support/until.ts'

// The steps of .ci/run (.ci/steps.sh), in another script.

/** A run of steps, until all of its processes have ended. */
function startRun(steps: string) {
  const script = `set -euo pipefail\nsource '${join(root, '.ci/steps.sh')}'\nexec 3>&1\n${steps}\nfinish`
  const run = Bun.spawn(['bash', '-c', script], { stdout: 'pipe', stderr: 'ignore' })
  const state = { output: '' }
  // The output is open until the last of the processes has ended.
  const ended = (async () => {
    const decoder = new TextDecoder()
    for await (const chunk of run.stdout) state.output += decoder.decode(chunk, { stream: true })
    return await run.exited
  })()
  return { run, state, ended }
}

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const)('%s ends a run with all processes of its steps', async (signal, code) => {
  const { run, state, ended } = startRun(`
    long_step() { echo waits >&3; sleep 600 || true; }
    parallel_step 'Beside' sh -c 'echo beside >&3; sleep 600; true'
    step 'Passes' true
    step 'Waits' long_step`)
  await until(() => state.output.includes('beside') && state.output.includes('waits'))
  run.kill(signal)
  expect(await ended).toBe(code)
  expect(state.output).toContain('===== Passes: ok')
  expect(state.output).toContain('===== Interrupted after')
  expect(state.output).not.toContain('passed')
})

test('a second signal kills a step that ignores the first', async () => {
  const { run, state, ended } = startRun(`
    step 'Ignores' bash -c 'trap "echo ignored >&3" TERM; echo waits >&3; while true; do sleep 0.05; done'`)
  await until(() => state.output.includes('waits'))
  run.kill('SIGTERM')
  await until(() => state.output.includes('ignored'))
  run.kill('SIGINT')
  expect(await ended).toBe(143)
})
