import type { Console } from '../http/routes/console.ts'

// No module of Node.js: a bundle, which never builds the console, would load it at each start.
const source = new URL('../console/', import.meta.url).pathname

const common = {
  target: 'browser',
  minify: true,
  // React chooses its development build by this variable, and the bundler the calls that JSX becomes.
  define: { 'process.env.NODE_ENV': '"production"' },
  // Beside the page, in the folder that the service has for them; see `Console.page`.
  publicPath: 'console/',
  naming: { entry: '[name]-[hash].[ext]', chunk: '[name]-[hash].[ext]', asset: '[name]-[hash].[ext]' },
} as const satisfies Partial<Bun.BuildConfig>

/**
 * Builds the console from its source.
 *
 * @throws AggregateError with the errors of the bundler
 */
export async function buildConsole(): Promise<Console> {
  // First: the page has to know the name of the script that it starts as a worker.
  const worker = await Bun.build({ ...common, entrypoints: [`${source}analyze/dataset-worker.ts`] })
  const [workerScript] = worker.outputs
  if (workerScript === undefined) throw new Error('the build of the worker has no output')
  const define = { ...common.define, WORKER_FILE: JSON.stringify(nameOf(workerScript)) }
  const { outputs } = await Bun.build({ ...common, define, entrypoints: [`${source}index.html`] })
  const page = outputs.find(({ path }) => path.endsWith('.html'))
  if (page === undefined) throw new Error('the build of the console has no page')
  const files = [...worker.outputs, ...outputs].filter((file) => file !== page)
  return {
    page: await page.text(),
    files: new Map(
      await Promise.all(
        files.map(async (file) => {
          const identity = new Blob([await file.arrayBuffer()], { type: file.type })
          return [nameOf(file), { identity }] as const
        }),
      ),
    ),
  }
}

const nameOf = ({ path }: Bun.BuildArtifact): string => path.slice(path.lastIndexOf('/') + 1)

let current: { readonly changedAt: number; readonly built: Promise<Console> } | undefined

/** Builds the console at the first call, and again when a source has changed since: a reload of the page shows it. */
export async function buildCurrentConsole(): Promise<Console> {
  const changedAt = await findLastChange()
  if (current?.changedAt !== changedAt) {
    const built = buildConsole()
    current = { changedAt, built }
    // A failed build is retried.
    built.catch(() => {
      current = undefined
    })
  }
  return (current as NonNullable<typeof current>).built
}

/** When a source of the console changed last, in ms. */
async function findLastChange(): Promise<number> {
  const names = await Array.fromAsync(new Bun.Glob('**/*').scan(source))
  const times = await Promise.all(names.map(async (name) => (await Bun.file(source + name).stat()).mtimeMs))
  return Math.max(...times)
}
