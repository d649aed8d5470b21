/** A generated file and its contents. */
export type GeneratedFile = readonly [path: URL, contents: string]

/**
 * Writes generated files. With `--check` on the command line it only compares, and ends the program with 1 if one differs.
 *
 * @param mismatch what differs from what, for the message
 */
export async function writeOrCheck(files: readonly GeneratedFile[], mismatch: string): Promise<void> {
  if (!Bun.argv.includes('--check')) {
    await Promise.all(files.map(([path, contents]) => Bun.write(path, contents)))
    return
  }
  const present = await Promise.all(files.map(([path]) => Bun.file(path).text()))
  if (files.every(([, contents], n) => contents === present[n])) return
  console.error(`${mismatch}. Run: bun run docs`)
  process.exit(1)
}
