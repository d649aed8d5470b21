/**
 * Resolves the path of a file imported with `type: 'file'`. A bundle can be moved, so its paths are relative to the
 * started program; from source, paths are absolute.
 *
 * @example assetPath('./number-scanner-g3vf.wasm') // '/opt/tally/number-scanner-g3vf.wasm'
 */
export function assetPath(path: string): string {
  return path.startsWith('./') ? Bun.main.replace(/[^/]*$/, path.slice(2)) : path
}
