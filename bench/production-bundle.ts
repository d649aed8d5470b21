import type { Target } from './targets.ts'

const root = new URL('..', import.meta.url).pathname

/** The Dockerfile step that builds the bundle. */
const buildStep = /^RUN (\["bun", "(?:tools|scripts)\/bundle\.ts",[\s\S]*?\])$/m

/**
 * Builds Tally with the Dockerfile's command line, so that the benchmark measures the bundle of the image. Only the
 * output folder differs.
 *
 * @param outputFolder where the bundle goes
 * @param checkout source folder: this one, or another checkout with its dependencies installed
 * @throws Error when its Dockerfile has no such step or the step fails.
 */
export async function buildProductionBundle(
  outputFolder = `${root}dist/bench/app`,
  checkout = root,
): Promise<Target> {
  const [program = '', ...options] = commandOf(await Bun.file(`${checkout}/Dockerfile`).text())
  const command = [
    program === 'bun' ? process.execPath : program,
    ...options.map((option) =>
      // Older checkouts also pass --public-path.
      option
        .replace(/^(--outdir=).*/, `$1${outputFolder}`)
        .replace(/^(--public-path=).*/, `$1${outputFolder}/`),
    ),
  ]
  const build = Bun.spawn(command, { cwd: checkout, stdio: ['ignore', 'ignore', 'pipe'] })
  const errors = await build.stderr.text()
  if ((await build.exited) !== 0) throw new Error(`cannot build the bundle: ${errors}`)
  return {
    name: 'tally, bundled',
    command: [process.execPath, `${outputFolder}/main.js`],
    // The image has a data directory; a start does not create one.
    env: { NODE_ENV: 'production', DATA_DIR: '.' },
  }
}

/** @throws Error when the Dockerfile has no such step. */
export function commandOf(dockerfile: string): string[] {
  const [, step] = buildStep.exec(dockerfile) ?? []
  if (step === undefined) throw new Error('the Dockerfile has no step RUN ["bun", "tools/bundle.ts", …]')
  return JSON.parse(step.replaceAll('\\\n', ''))
}
