import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runCommand, runSuccessfully } from '../test/support/command.ts'
import { freePort } from '../test/support/free-ports.ts'

// Does what the README says, as somebody would who has just found it: a clone in an empty folder, an empty
// home directory, `make dev`, the curl, and the answer that stands below it. Only the port is another.

/** What the README promises. */
const answerMsMax = 90_000
const stopMsMax = 30_000

const folder = await mkdtemp(join(tmpdir(), 'tally-clone-'))
const clone = join(folder, 'tally')
const home = join(folder, 'home')
const port = freePort()
const env = Object.fromEntries(
  Object.entries({ ...process.env, HOME: home, PORT: String(port) }).filter(
    ([name]) => !name.startsWith('XDG_'),
  ),
)
let failure: unknown
try {
  await runSuccessfully(['mkdir', home])
  await runSuccessfully(['git', 'clone', '--quiet', '.', clone])
  await followReadme()
} catch (error) {
  failure = error
} finally {
  await rm(folder, { recursive: true, force: true })
}
if (failure !== undefined) {
  console.error(failure instanceof Error ? failure.message : failure)
  process.exit(1)
}

async function followReadme(): Promise<void> {
  const readme = await Bun.file(join(clone, 'README.md')).text()
  const [, command = ''] = /```sh\n(curl -s localhost:8000\/payload[\s\S]*?)```/.exec(readme) ?? []
  const [, answer = ''] = /answers\s+```json\n([\s\S]*?)```/.exec(readme) ?? []
  if (command === '' || answer === '') throw new Error('The README shows no curl of /payload with its answer')
  const curl = command.replace('localhost:8000', `localhost:${port}`)
  const expected = withoutTime(JSON.parse(answer))

  const started = performance.now()
  const log = Bun.file(join(folder, 'make-dev.log'))
  // A group of its own, so that make and all it started can be ended together.
  const make = Bun.spawn(['make', 'dev'], { cwd: clone, env, detached: true, stdout: log, stderr: log })
  try {
    for (;;) {
      const { exitCode, stdout } = await runCommand(['sh', '-c', curl])
      if (exitCode === 0) {
        if (!Bun.deepEquals(withoutTime(JSON.parse(stdout)), expected))
          throw new Error(`The README's curl answered ${stdout}`)
        break
      }
      if (make.exitCode !== null)
        throw new Error(`make dev ended with ${make.exitCode}:\n${await log.text()}`)
      if (performance.now() - started > answerMsMax)
        throw new Error(`make dev did not answer in ${answerMsMax} ms:\n${await log.text()}`)
      await Bun.sleep(250)
    }
    const seconds = ((performance.now() - started) / 1_000).toFixed(1)
    console.log(`make dev answered the README's curl after ${seconds} s, in an empty home directory`)
  } finally {
    if (make.exitCode === null) process.kill(-make.pid, 'SIGTERM')
    const insist = setTimeout(() => process.kill(-make.pid, 'SIGKILL'), stopMsMax)
    await make.exited
    clearTimeout(insist)
  }
}

/** The one part of the answer that differs each time. */
function withoutTime(answer: object): object {
  return { ...answer, processing_time_ms: 0 }
}
