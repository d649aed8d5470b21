/**
 * The URL of a thread's program. As source the program is beside the file that starts it, as a bundle beside the program
 * that was started. A bundle cannot use `import.meta.url`: for CommonJS the bundler replaces it with the path of the source.
 *
 * @param name the file name without its extension
 * @param importer `import.meta.url` of the file beside it
 * @example programUrl('document-worker', 'file:///src/documents/checking/document-checker.ts')
 *   // 'file:///src/documents/checking/document-worker.ts', in a bundle 'file:///opt/tally/document-worker.js'
 */
export function programUrl(name: string, importer: string): string {
  return Bun.main.endsWith('.js')
    ? new URL(`./${name}.js`, Bun.pathToFileURL(Bun.main)).href
    : new URL(`./${name}.ts`, importer).href
}
