import { existsSync } from 'node:fs'
import { parseArgs } from 'node:util'

// Makes what the image runs from src/, in --outdir, a folder that may be put anywhere: bun tools/bundle.ts --outdir=/out/app
//
// Bundles, not a compiled program: that would be a layer of 115 MB for every release, where this is one of some 8 MB on
// a base that the node has already. Names stay and the source maps go with it, so that a stack trace in the log says
// where.

const { values } = parseArgs({ options: { outdir: { type: 'string' } } })
const outdir = values.outdir ?? 'dist/app'

const everythingOf = (name: string): [name: string, text: string] => [name, `export * from '${name}'`]

const bullmqScripts = [
  'addDelayedJob-6',
  'addPrioritizedJob-9',
  'cleanJobsInSet-3',
  'moveJobFromActiveToWait-9',
  'moveToActive-11',
  'moveToDelayed-11',
  'moveToFinished-14',
  'pause-7',
  'reprocessJob-9',
]

/**
 * What a start without PostgreSQL, Redis, a schema of documents, tokens and tracing does not load: most of all code. They
 * are in files of their own, or main.js would be read with them, 3.5 MB more of source and bytecode.
 */
const packages = new Map([
  // Only the scripts of BullMQ are used.
  ...bullmqScripts.map((name) => everythingOf(`bullmq/dist/esm/scripts/${name}.js`)),
  // CommonJS: what it exports is not known before it runs, so it is said here.
  ['ajv/dist/2020.js', "export { Ajv2020 } from 'ajv/dist/2020.js'"],
  everythingOf('re2js'),
  everythingOf('jose'),
  // The first of them is also loaded by prom-client, half a second after the start.
  ...['api', 'context-async-hooks', 'core', 'exporter-trace-otlp-http', 'resources', 'sdk-trace'].map(
    (name) => everythingOf(`@opentelemetry/${name}`),
  ),
])

/** `ajv-dist-2020.js` for `ajv/dist/2020.js`, `opentelemetry-core.js` for `@opentelemetry/core`. */
const fileOf = (name: string): string => `${name.replace(/^@|\.js$/g, '').replaceAll('/', '-')}.js`

/** Loads node:util for prom-client at its first error: only messages of errors need it, and it delays the start. */
const lazyUtil: Bun.BunPlugin = {
  name: 'lazy node:util for prom-client',
  setup({ onLoad }) {
    const eager = "const util = require('util');"
    const lazy = `const util = {
      format: (...args) => require('util').format(...args),
      inspect: (...args) => require('util').inspect(...args),
    };`
    onLoad({ filter: /\/prom-client\/lib\/(counter|gauge|histogram|validation)\.js$/ }, async ({ path }) => {
      const source = await Bun.file(path).text()
      if (!source.includes(eager)) throw new Error(`${path} no longer contains: ${eager}`)
      return { contents: source.replace(eager, lazy), loader: 'js' }
    })
  },
}

/** The version and the revision of the checkout; nothing where there is no git, as in the Dockerfile, which passes them. */
function readBuild(): Record<string, string> {
  if (!existsSync(`${root}.git`)) return {}
  const { stdout } = Bun.spawnSync([`${root}tools/version.sh`])
  const lines = stdout.toString().split('\n').filter(Boolean)
  return Object.fromEntries(
    lines.map((line) => {
      const [name = '', value = ''] = line.split('=', 2)
      return [name.replace('SERVICE', 'BUILD'), JSON.stringify(value)]
    }),
  )
}

const root = new URL('..', import.meta.url).pathname

const common: Bun.BuildConfig = {
  entrypoints: [],
  define: readBuild(),
  outdir,
  target: 'bun',
  minify: { syntax: true, whitespace: true },
  sourcemap: 'linked',
  plugins: [lazyUtil],
  // Relative, so that the folder may be moved; see `assetPath`.
  publicPath: './',
}

const reExports = Object.fromEntries(
  [...packages].map(([name, text]) => [`${root}src/${fileOf(name)}`, text]),
)

// Split, so that the programs share what they have in common. The threads of main.js are started from here, too.
const split = await Bun.build({
  ...common,
  entrypoints: [
    ...['worker', 'healthcheck', 'server/analysis-worker', 'documents/checking/document-worker'].map(
      (name) => `${root}src/${name}.ts`,
    ),
    ...Object.keys(reExports),
  ],
  files: reExports,
  naming: { entry: '[name].[ext]' },
  splitting: true,
})

// With bytecode: a start is mostly the loading of code, and this halves it (side by side, in the process: 117 ms
// became 65). Bun has bytecode only for CommonJS without splitting; for ES modules a program must be compiled.
const server = await Bun.build({
  ...common,
  entrypoints: [`${root}src/main.ts`],
  format: 'cjs',
  bytecode: true,
  plugins: [
    lazyUtil,
    {
      name: 'packages apart',
      setup({ onResolve }) {
        for (const name of packages.keys())
          onResolve({ filter: new RegExp(`^${RegExp.escape(name)}$`) }, () => ({
            path: `./${fileOf(name)}`,
            external: true,
          }))
      },
    },
  ],
})

// The text of the sources is two thirds of a source map, and a stack trace needs only names and lines. Bun refuses a map
// without it, but not one where it is empty.
for (const { path, kind } of [...split.outputs, ...server.outputs]) {
  if (kind !== 'sourcemap') continue
  const map: { sourcesContent: (string | null)[] } = await Bun.file(path).json()
  await Bun.write(path, JSON.stringify({ ...map, sourcesContent: map.sourcesContent.map(() => null) }))
}
