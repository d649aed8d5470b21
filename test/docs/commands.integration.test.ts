import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import { join } from 'node:path'
import { runSuccessfully } from '../support/command.ts'
import { parseCommands, showsOutput } from '../support/markdown.ts'
import { root } from '../support/root.ts'
import { noDrainWindow, startService } from '../support/service.ts'
import { until } from '../support/until.ts'

// Pages with `sh run` blocks. The test sends them to a service, in order, and compares each output with the page.
// docs/getting-started.md starts its own services: tools/fresh-clone.ts follows it.
setDefaultTimeout(120_000)

const pages = ['README.md', 'docs/api.md', 'docs/tasks.md']

describe.each(pages)('%s', async (path) => {
  const commands = parseCommands(await Bun.file(join(root, path)).text())

  test('has commands, each with its output', () => {
    expect(commands.length).toBeGreaterThan(0)
    expect(commands.filter(({ output }) => output === undefined)).toEqual([])
    expect(commands.filter(({ name }) => name !== 'run' && name !== 'run-until')).toEqual([])
  })

  test('shows the response of a service', async () => {
    await using service = await startService({ env: noDrainWindow })
    for (const { name, script, output, line } of commands) {
      const command = ['sh', '-ec', script.replaceAll('localhost:8000', `127.0.0.1:${service.port}`)]
      const run = () => runSuccessfully(command)
      if (name === 'run-until') {
        await until(async () => output && showsOutput(output, await run()), { what: `line ${line}` })
        continue
      }
      const stdout = await run()
      if (!output || !showsOutput(output, stdout))
        throw new Error(`${path}:${line}: expected\n${output?.text}\nreceived\n${stdout}`)
    }
  })
})
