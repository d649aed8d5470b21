/**
 * The path of an absolute URL, without its query, and without making a URL of it.
 *
 * @example pathOf('http://tally.test/data?limit=1') // '/data'
 */
export function pathOf(url: string): string {
  const start = url.indexOf('/', url.indexOf('://') + 3)
  if (start === -1) return '/'
  const query = url.indexOf('?', start)
  return query === -1 ? url.slice(start) : url.slice(start, query)
}
