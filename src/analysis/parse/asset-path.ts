/**
 * The path of a file that is imported by path. A bundle may be put anywhere, so it knows its files only by their names
 * beside the program that was started; from source, the path is absolute.
 *
 * @example assetPath('./number-scanner-g3vf.wasm') // '/opt/tally/number-scanner-g3vf.wasm'
 */
export function assetPath(path: string): string {
  return path.startsWith('./') ? Bun.main.replace(/[^/]*$/, path.slice(2)) : path
}
