import { watch } from 'node:fs'

/**
 * `make dev`: the service from source, started anew after each change of a file.
 *
 * `bun --watch` does that as long as the service runs. A file that cannot be compiled ends it, because a service that cannot
 * start exits, and the watch with it. Then this waits for the next change and starts again.
 */

const root = new URL('..', import.meta.url).pathname
/** EX_CONFIG of sysexits.h: no change of a source file helps. */
const invalidConfigExitCode = 78

let child: Bun.Subprocess | undefined
let isStopping = false
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => {
    // A second signal arrives while the service drains, or while nothing runs.
    if (child === undefined) process.exit(0)
    isStopping = true
    child.kill(signal)
  })

for (;;) {
  child = Bun.spawn([process.execPath, '--watch', '--no-clear-screen', 'src/main.ts'], {
    cwd: root,
    env: { LOG_FORMAT: 'pretty', ...readVersion(), ...process.env },
    stdio: ['inherit', 'inherit', 'inherit'],
    // Ctrl-C at a terminal reaches the whole group; the service gets it from here, once.
    detached: true,
  })
  const exitCode = await child.exited
  child = undefined
  if (isStopping || exitCode === 0 || exitCode === invalidConfigExitCode) process.exit(exitCode)
  // Watched first: whoever reads the message may be quick.
  const change = nextChange(`${root}src`)
  console.error(`\nThe service ended with ${exitCode}. It starts again when a file in src/ changes.\n`)
  await change
}

/** Resolves after the next change in a folder, when it has been quiet for a moment: editors write in several steps. */
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

/** The version and the revision of the checkout, as variables. */
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
