/**
 * Shows the progress of long commands: the step, the elapsed time, and an estimate of the remaining time. On a terminal
 * only: in a pipe, a log or a build server nothing is shown.
 *
 *     bun tools/progress.ts NAME COMMAND...     runs a command with its progress, as deploy/docker/build.sh does
 *
 * The estimate comes from the durations of the last complete run, which are in .tools/progress (`PROGRESS_DIR`).
 */
import { writeSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'

/** A step of a run, with its duration in ms. */
export interface Step {
  readonly label: string
  readonly ms: number
}

export interface ProgressOptions {
  /** Number of steps, if they take about the same time: the first run then has an estimate too. */
  readonly stepCount?: number
  /** How often to redraw the line, in ms. 0: only at each step, for a program that must not be disturbed. Default: 1,000. */
  readonly redrawMs?: number
}

/** The progress of one run of a command. */
export interface Progress {
  /** Begins the next step. */
  step(label: string): void
  /** Prints a line to standard output, above the progress. */
  print(text: string): void
  /**
   * Removes the progress.
   *
   * @param isComplete whether the run did all its work: its durations are then the next estimate
   */
  end(isComplete: boolean): Promise<void>
}

const directory = process.env.PROGRESS_DIR ?? join(import.meta.dir, '../.tools/progress')
const clearLine = '\r\x1b[K'
const stderr = 2

/**
 * Starts the progress of a command.
 *
 * @param name the command and its variant, such as `bench-quick`: the file of its durations
 */
export async function startProgress(
  name: string,
  { stepCount, redrawMs = 1_000 }: ProgressOptions = {},
): Promise<Progress> {
  const file = Bun.file(join(directory, `${name}.json`))
  const last = (await file.json().catch(() => [])) as readonly Step[]
  const isVisible = process.stderr.isTTY === true
  const startedAt = performance.now()
  const steps: Step[] = []
  let label: string | undefined
  let stepStartedAt = startedAt

  const clear = (): void => {
    if (isVisible) writeSync(stderr, clearLine)
  }
  const finishStep = (): void => {
    if (label !== undefined) steps.push({ label, ms: performance.now() - stepStartedAt })
  }
  const draw = (): void => {
    if (!isVisible || label === undefined) return
    const now = performance.now()
    const current = { label, ms: now - stepStartedAt }
    const text = describeProgress(steps, current, last, stepCount)
    writeSync(stderr, clearLine + text.slice(0, (process.stderr.columns || 80) - 1))
  }
  const timer = isVisible && redrawMs > 0 ? setInterval(draw, redrawMs) : undefined
  timer?.unref()
  process.once('exit', clear)

  return {
    step(next) {
      finishStep()
      label = next
      stepStartedAt = performance.now()
      draw()
    },
    print(text) {
      clear()
      console.log(text)
      draw()
    },
    async end(isComplete) {
      clearInterval(timer)
      finishStep()
      label = undefined
      process.off('exit', clear)
      clear()
      if (!isComplete) return
      await mkdir(directory, { recursive: true })
      await Bun.write(file, JSON.stringify(steps))
    },
  }
}

/**
 * One line about a run.
 *
 * @param done the finished steps
 * @param current the present step, with its time so far
 * @param last the steps of the last complete run; may be empty
 * @example describeProgress([], { label: 'build', ms: 60_000 }, [{ label: 'build', ms: 90_000 }])
 *   // 'build, 1:00, about 0:30 left'
 */
export function describeProgress(
  done: readonly Step[],
  current: Step,
  last: readonly Step[],
  stepCount?: number,
): string {
  const elapsedMs = sum(done) + current.ms
  const leftMs = estimateLeft(done, current, last, stepCount)
  return [
    `${stepCount === undefined ? '' : `${done.length + 1}/${stepCount} `}${current.label}`,
    formatTime(elapsedMs),
    ...(leftMs === undefined ? [] : [`about ${formatTime(leftMs)} left`]),
  ].join(', ')
}

/** The remaining time in ms; undefined without a basis for an estimate. */
function estimateLeft(
  done: readonly Step[],
  current: Step,
  last: readonly Step[],
  stepCount: number | undefined,
): number | undefined {
  const index = last.findIndex(({ label }) => label === current.label)
  const known = last[index]
  if (known !== undefined) return Math.max(0, known.ms - current.ms) + sum(last.slice(index + 1))
  if (last.length > 0) return Math.max(0, sum(last) - sum(done) - current.ms)
  if (stepCount === undefined || done.length === 0) return undefined
  const perStepMs = sum(done) / done.length
  return Math.max(0, (stepCount - done.length) * perStepMs - current.ms)
}

const sum = (steps: readonly Step[]): number => steps.reduce((total, { ms }) => total + ms, 0)

/** @example formatTime(75_000) // '1:15' */
function formatTime(ms: number): string {
  const seconds = Math.round(ms / 1_000)
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}

/** Runs a command with its progress. @returns its exit code */
async function runWithProgress(name: string, command: readonly string[]): Promise<number> {
  const progress = await startProgress(name)
  progress.step(name)
  const child = Bun.spawn([...command], { stdin: 'inherit', stdout: 'pipe', stderr: 'pipe' })
  await Promise.all([printLines(child.stdout, progress), printLines(child.stderr, progress)])
  const exitCode = await child.exited
  await progress.end(exitCode === 0)
  return exitCode
}

async function printLines(output: ReadableStream<Uint8Array>, progress: Progress): Promise<void> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of output) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) progress.print(line)
  }
  if (rest !== '') progress.print(rest)
}

if (import.meta.main) {
  const [name, ...command] = process.argv.slice(2)
  if (name === undefined || command.length === 0) {
    console.error('usage: bun tools/progress.ts NAME COMMAND...')
    process.exit(64)
  }
  process.exit(await runWithProgress(name, command))
}
