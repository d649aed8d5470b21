import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { root } from '../../support/root.ts'
import { until } from '../../support/until.ts'

// The steps of .ci/run (.ci/steps.sh), in another script.

const script = `
set -euo pipefail
source '${join(root, '.ci/steps.sh')}'
long_step() { sleep 600 || true; }
parallel_step 'Beside' sh -c 'echo beside >&3; exec sleep 600'
step 'Passes' true
step 'Waits' long_step
finish
`

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('%s ends a run with all processes of its steps', async (signal, code) => {
  // The output is open until the last of these processes has ended.
  await using run = Bun.spawn(['bash', '-c', `exec 3>&1; ${script}`], { stdout: 'pipe', stderr: 'ignore' })
  let output = ''
  const ended = (async () => {
    const decoder = new TextDecoder()
    for await (const chunk of run.stdout) output += decoder.decode(chunk, { stream: true })
  })()
  await until(() => output.includes('beside') && output.includes('===== Waits'))
  run.kill(signal)
  await ended
  expect(await run.exited).toBe(code)
  expect(output).toContain('===== Passes: ok')
  expect(output).toEndWith(' s\n')
  expect(output).toContain('===== Interrupted after')
  expect(output).not.toContain('passed')
})
