import type { Target } from './targets.ts'

const root = new URL('..', import.meta.url).pathname

/** The step of the Dockerfile that makes what the image runs. */
const buildStep = /^RUN (\["bun", "(?:tools|scripts)\/bundle\.ts",[\s\S]*?\])$/m

/**
 * Builds Tally with the command line of the Dockerfile, so that the benchmark measures what the image runs. Only the
 * output folder differs.
 *
 * @param place the output folder
 * @param checkout the folder of the sources: this one, or another checkout with its dependencies installed
 * @throws Error when its Dockerfile has no such step or the step fails.
 */
export async function buildProductionBundle(
  place = `${root}dist/bench/app`,
  checkout = root,
): Promise<Target> {
  const [program = '', ...options] = commandOf(await Bun.file(`${checkout}/Dockerfile`).text())
  const command = [
    program === 'bun' ? process.execPath : program,
    ...options.map((option) =>
      // The second for checkouts whose bundle knew its place.
      option.replace(/^(--outdir=).*/, `$1${place}`).replace(/^(--public-path=).*/, `$1${place}/`),
    ),
  ]
  const build = Bun.spawn(command, { cwd: checkout, stdio: ['ignore', 'ignore', 'pipe'] })
  const errors = await build.stderr.text()
  if ((await build.exited) !== 0) throw new Error(`the bundle cannot be built: ${errors}`)
  return {
    name: 'tally, bundled',
    command: [process.execPath, `${place}/main.js`],
    // The image has a data directory, so that a start need not create one.
    env: { NODE_ENV: 'production', DATA_DIR: '.' },
  }
}

/** @throws Error when there is no such step. */
export function commandOf(dockerfile: string): string[] {
  const [, step] = buildStep.exec(dockerfile) ?? []
  if (step === undefined) throw new Error('the Dockerfile has no step RUN ["bun", "tools/bundle.ts", …]')
  return JSON.parse(step.replaceAll('\\\n', ''))
}
