/**
 * `make bench-floor`: compares this commit with the merge base (with `BASE_REF`, default `main`) and fails if the CPU
 * time per request exceeds a limit. Windows of both alternate in one run, so that a slow or busy machine affects both
 * alike. Measures a row over its limit again; it fails only if it is over twice.
 *
 * Exit codes: 0 if every row is within its limit; 1 if not, or if it could not measure.
 */
import { mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { limits, overLimit, parseRatios, renderRatios } from './floor-limits.ts'

const root = new URL('..', import.meta.url).pathname
const resultFile = join(root, 'reports/bench/compare.json')

process.exit(await main())

async function main(): Promise<number> {
  const base = await mergeBase(process.env.BASE_REF || 'main')
  if (base === (await succeed(['git', 'rev-parse', 'HEAD']))) {
    console.log('This commit is its own merge base: there is nothing to compare.')
    return 0
  }
  console.log(`Merge base: ${await succeed(['git', 'log', '-1', '--format=%h %s', base])}`)
  const before = await mkdtemp(join(tmpdir(), 'tally-bench-'))
  try {
    await succeed(['git', 'worktree', 'add', '--detach', before, base])
    await symlink(join(root, '.tools'), join(before, '.tools')).catch(() => {})
    await succeed([process.execPath, 'install', '--frozen-lockfile'], before)
    const first = await measure(before, Object.keys(limits))
    const suspects = overLimit(first)
    console.log(renderRatios(first))
    if (suspects.length === 0) return 0
    console.log(`Over the limit, measured once more: ${suspects.join(', ')}`)
    const second = await measure(before, suspects)
    console.log(renderRatios(second))
    const slower = overLimit(second)
    if (slower.length > 0) console.error(`Slower than the merge base, twice: ${slower.join(', ')}`)
    return slower.length > 0 ? 1 : 0
  } finally {
    await succeed(['git', 'worktree', 'remove', '--force', before])
    await rm(before, { recursive: true, force: true })
  }
}

/** Runs compare.ts for some rows; its windows alternate between both programs. */
async function measure(before: string, rows: readonly string[]): Promise<Map<string, number>> {
  await rm(resultFile, { force: true })
  const child = Bun.spawn([process.execPath, '--no-orphans', join(root, 'bench/compare.ts')], {
    cwd: root,
    env: { ...process.env, BEFORE: before, ROWS: rows.join(','), QUICK: process.env.QUICK ?? '1' },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const code = await child.exited
  if (code !== 0) throw new Error(`bench/compare.ts ended with ${code}`)
  return parseRatios(await Bun.file(resultFile).json(), rows)
}

/** A build server may have only the remote's branch of that name. */
async function mergeBase(ref: string): Promise<string> {
  for (const name of [ref, `origin/${ref}`]) {
    const { code, stdout } = await execute(['git', 'merge-base', 'HEAD', name])
    if (code === 0) return stdout.trim()
  }
  throw new Error(`BASE_REF=${ref} has no commit in common with this one: is the history complete?`)
}

async function succeed(command: string[], cwd = root): Promise<string> {
  const { code, stdout, stderr } = await execute(command, cwd)
  if (code !== 0) throw new Error(`${command.join(' ')} ended with ${code}: ${stderr.trim()}`)
  return stdout.trim()
}

async function execute(
  command: string[],
  cwd = root,
): Promise<{ code: number; stdout: string; stderr: string }> {
  const child = Bun.spawn(command, { cwd, stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' })
  const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited])
  return { code, stdout, stderr }
}
