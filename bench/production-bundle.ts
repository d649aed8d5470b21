import type { Target } from './targets.ts'

const root = new URL('..', import.meta.url).pathname
const output = `${root}dist/bench/app`

/** The step of the Dockerfile that makes what the image runs. */
const buildStep = /^RUN (\["bun", "tools\/bundle\.ts",[\s\S]*?\])$/m

/**
 * Builds Tally by the Dockerfile's own command line, so that what is measured is what the image runs; only the
 * place is another.
 *
 * @throws Error when the Dockerfile has no such step or the step fails.
 */
export async function buildProductionBundle(place = output): Promise<Target> {
  const [program = '', ...options] = commandOf(await Bun.file(`${root}Dockerfile`).text())
  const command = [
    program === 'bun' ? process.execPath : program,
    ...options.map((option) =>
      option.startsWith('--outdir=')
        ? `--outdir=${place}`
        : option.startsWith('--public-path=')
          ? `--public-path=${place}/`
          : option,
    ),
  ]
  const build = Bun.spawn(command, { cwd: root, stdio: ['ignore', 'ignore', 'pipe'] })
  const errors = await build.stderr.text()
  if ((await build.exited) !== 0) throw new Error(`the bundle cannot be built: ${errors}`)
  return {
    name: 'tally, bundled',
    command: [process.execPath, `${place}/main.js`],
    // The image has a directory for what is kept, so that a start need not make one.
    env: { NODE_ENV: 'production', DATA_DIR: '.' },
  }
}

/** @throws Error when there is no such step. */
export function commandOf(dockerfile: string): string[] {
  const [, step] = buildStep.exec(dockerfile) ?? []
  if (step === undefined) throw new Error('the Dockerfile has no step RUN ["bun", "tools/bundle.ts", …]')
  return JSON.parse(step.replaceAll('\\\n', ''))
}
