import { existsSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { brotliCompressSync } from 'node:zlib'
import { buildConsole } from '../src/server/build-console.ts'

// Bundles src/ for the image into --outdir, a folder that can be moved: bun tools/bundle.ts --outdir=/out/app
//
// A bundle instead of a compiled program, because each release is then a layer of about 8 MB on a base that the node
// already has, instead of 115 MB. Keeps names and source maps for stack traces in the log.

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
 * Packages that a start needs only for PostgreSQL, Redis, a document schema, tokens or tracing: most of the code. They
 * have their own files; otherwise every start would read 3.5 MB more source and bytecode in main.js.
 */
const packages = new Map([
  // Only the scripts of BullMQ are used.
  ...bullmqScripts.map((name) => everythingOf(`bullmq/dist/esm/scripts/${name}.js`)),
  // CommonJS: its exports are unknown before it runs, so name them here.
  ['ajv/dist/2020.js', "export { Ajv2020 } from 'ajv/dist/2020.js'"],
  everythingOf('re2js'),
  everythingOf('jose'),
  // prom-client also loads the first of them, half a second after the start.
  ...['api', 'context-async-hooks', 'core', 'exporter-trace-otlp-http', 'resources', 'sdk-trace'].map(
    (name) => everythingOf(`@opentelemetry/${name}`),
  ),
])

/** `ajv-dist-2020.js` for `ajv/dist/2020.js`, `opentelemetry-core.js` for `@opentelemetry/core`. */
const fileOf = (name: string): string => `${name.replace(/^@|\.js$/g, '').replaceAll('/', '-')}.js`

/** Loads node:util for prom-client at its first error: only error messages need it, and it delays the start. */
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

/** The version and revision of the checkout. Empty without git, as in the Dockerfile, which passes them itself. */
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
  // Relative, so that the folder can be moved; see `assetPath`.
  publicPath: './',
}

const reExports = Object.fromEntries(
  [...packages].map(([name, text]) => [`${root}src/${fileOf(name)}`, text]),
)

// Split, so that the programs share common code. Includes the threads of main.js.
const split = await Bun.build({
  ...common,
  entrypoints: [
    ...[
      'worker',
      'migrate',
      'healthcheck',
      'server/analysis-worker',
      'documents/checking/document-worker',
      'database/sqlite/checkpoint-worker',
    ].map((name) => `${root}src/${name}.ts`),
    ...Object.keys(reExports),
  ],
  files: reExports,
  naming: { entry: '[name].[ext]' },
  splitting: true,
})

// With bytecode, because loading code is most of a start and bytecode halves it (117 ms to 65, side by side, in the
// process). Bun supports bytecode only for CommonJS without splitting, or for ES modules in a compiled program.
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

// The console, at the highest compression levels. That takes long, but happens once a build.
const { page, files } = await buildConsole()
await Bun.write(`${outdir}/console/index.html`, page)
for (const [name, { identity }] of files) {
  const bytes = await identity.bytes()
  await Bun.write(`${outdir}/console/${name}`, bytes)
  await Bun.write(`${outdir}/console/${name}.br`, brotliCompressSync(bytes))
  await Bun.write(`${outdir}/console/${name}.zst`, Bun.zstdCompressSync(bytes, { level: 19 }))
}

// Removes the source text, two thirds of a source map: a stack trace needs only names and lines. Bun rejects a map
// without the text but accepts null entries.
for (const { path, kind } of [...split.outputs, ...server.outputs]) {
  if (kind !== 'sourcemap') continue
  const map: { sourcesContent: (string | null)[] } = await Bun.file(path).json()
  await Bun.write(path, JSON.stringify({ ...map, sourcesContent: map.sourcesContent.map(() => null) }))
}
