/**
 * Follows docs/getting-started.md like a new user: a clone in an empty folder, an empty home directory, `make dev`, and
 * every block of commands. Compares each output with the page. Only the port and the address of the repository differ.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runCommand } from '../test/support/command.ts'
import { freePort } from '../test/support/free-ports.ts'
import { type Command, parseCommands, showsOutput } from '../test/support/markdown.ts'
import { root } from '../test/support/root.ts'

const answerMsMax = 90_000
const stopMsMax = 30_000
/** Timeout of one group of blocks, on a busy machine. */
const commandsMsMax = 360_000

const folder = await mkdtemp(join(tmpdir(), 'tally-clone-'))
const clone = join(folder, 'tally')
const home = join(folder, 'home')
const port = freePort()
const env = {
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('XDG_'))),
  HOME: home,
  PORT: String(port),
  REPOSITORY: root,
}
let failure: unknown
try {
  await mkdir(home)
  await followPage()
} catch (error) {
  failure = error
} finally {
  await rm(folder, { recursive: true, force: true, maxRetries: 5 })
}
if (failure !== undefined) {
  console.error(failure instanceof Error ? failure.message : failure)
  process.exit(1)
}

async function followPage(): Promise<void> {
  const commands = parseCommands(await Bun.file(join(root, 'docs/getting-started.md')).text())
  const groups = Map.groupBy(commands, ({ name }) => name)
  const expected = ['clone', 'serve', 'try', 'kill', 'roll']
  if ([...groups.keys()].join() !== expected.join())
    throw new Error(
      `docs/getting-started.md has the groups ${[...groups.keys()].join()}, not ${expected.join()}`,
    )
  const take = (name: string): Command[] => groups.get(name) ?? []
  await follow(take('clone'), folder)
  await serveWhile(take('serve'), () => follow(take('try'), clone))
  // One shell for both, as on the page, because it knows the server's process id.
  await follow([...take('kill'), ...take('roll')], clone)
}

/** Runs blocks in one shell and compares the output of each. */
async function follow(commands: readonly Command[], cwd: string): Promise<void> {
  const boundary = `--- ${crypto.randomUUID()}`
  const script = commands.map((command) => command.script).join(`\necho; echo '${boundary}'\n`)
  const onPort = `trap 'kill $server 2> /dev/null' EXIT\n${script.replaceAll('localhost:8000', `localhost:${port}`)}`
  const { exitCode, stdout, stderr } = await runCommand(['sh', '-c', onPort], {
    cwd,
    env,
    timeoutMs: commandsMsMax,
  })
  const outputs = stdout.split(boundary)
  for (const [i, { line, script, output }] of commands.entries()) {
    const received = outputs[i]
    if (received === undefined || (output !== undefined && !showsOutput(output, received)))
      throw new Error(
        `docs/getting-started.md:${line}: expected\n${output?.text ?? ''}\nreceived\n${received}\n${stderr}`,
      )
    console.log(`$ ${script.trim()}\n${received.trim()}\n`)
  }
  if (exitCode !== 0) throw new Error(`the last command ended with ${exitCode}:\n${stderr}`)
}

/** Runs `make dev` of the page like another terminal, and ends it like Ctrl-C. */
async function serveWhile(commands: readonly Command[], meanwhile: () => Promise<void>): Promise<void> {
  const started = performance.now()
  const log = Bun.file(join(folder, 'make-dev.log'))
  const script = commands.map((command) => command.script).join('\n')
  // A separate process group, so that make and its children can be ended together.
  const make = Bun.spawn(['sh', '-c', script], { cwd: clone, env, detached: true, stdout: log, stderr: log })
  try {
    const ready = ['curl', '-sf', '-o', '/dev/null', `localhost:${port}/ready`]
    while ((await runCommand(ready)).exitCode !== 0) {
      if (make.exitCode !== null)
        throw new Error(`make dev ended with ${make.exitCode}:\n${await log.text()}`)
      if (performance.now() - started > answerMsMax)
        throw new Error(`make dev did not answer in ${answerMsMax} ms:\n${await log.text()}`)
      await Bun.sleep(250)
    }
    const seconds = ((performance.now() - started) / 1_000).toFixed(1)
    console.log(`$ ${script.trim()}\nready after ${seconds} s, in an empty home directory\n`)
    await meanwhile()
  } finally {
    if (make.exitCode === null) process.kill(-make.pid, 'SIGINT')
    const insist = setTimeout(() => process.kill(-make.pid, 'SIGKILL'), stopMsMax)
    await make.exited
    clearTimeout(insist)
  }
}
