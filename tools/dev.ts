import { watch } from 'node:fs'

/**
 * `make dev`: runs the service from source and restarts it after each change of a file.
 *
 * `bun --watch` restarts a running service. If the service cannot start, for example after a syntax error, it exits and
 * ends the watch. Then this program waits for the next change and starts it again.
 */

const root = new URL('..', import.meta.url).pathname
/** EX_CONFIG of sysexits.h: a change of a source file does not help. */
const invalidConfigExitCode = 78

let child: Bun.Subprocess | undefined
let isStopping = false
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => {
    // A signal can arrive while the service drains or while nothing runs.
    if (child === undefined) process.exit(0)
    isStopping = true
    child.kill(signal)
  })

for (;;) {
  child = Bun.spawn([process.execPath, '--watch', '--no-clear-screen', 'src/main.ts'], {
    cwd: root,
    env: { LOG_FORMAT: 'pretty', ...readVersion(), ...process.env },
    stdio: ['inherit', 'inherit', 'inherit'],
    // Ctrl-C at a terminal reaches the whole process group. In its own group, the service gets the signal once, from here.
    detached: true,
  })
  const exitCode = await child.exited
  child = undefined
  if (isStopping || exitCode === 0 || exitCode === invalidConfigExitCode) process.exit(exitCode)
  // Start to watch before the message, so that a fast edit is not missed.
  const change = nextChange(`${root}src`)
  console.error(`\nThe service exited with code ${exitCode}. It restarts when a file in src/ changes.\n`)
  await change
}

/** Resolves after the next change in a folder and a short pause, because editors write in several steps. */
function nextChange(folder: string): Promise<void> {
  return new Promise((resolve) => {
    let timer: ReturnType<typeof setTimeout> | undefined
    const watcher = watch(folder, { recursive: true }, () => {
      clearTimeout(timer)
      timer = setTimeout(() => {
        watcher.close()
        resolve()
      }, 50)
    })
  })
}

/** The version and revision of the checkout as environment variables. */
function readVersion(): Record<string, string> {
  const { stdout } = Bun.spawnSync([`${root}tools/version.sh`])
  return Object.fromEntries(
    stdout
      .toString()
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => line.split('=', 2) as [string, string]),
  )
}
