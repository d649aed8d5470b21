/**
 * The curl command for the same request.
 *
 * @param body undefined if it is too long for a command line: the command then reads a file
 * @example formatCurl('http://localhost/payload', '{}') // "curl 'http://localhost/payload' …"
 */
export function formatCurl(url: string, body: string | undefined): string {
  const data = body === undefined ? '@payload.json' : quote(body)
  return `curl ${quote(url)} -H 'content-type: application/json' --data ${data}`
}

/** Quotes any text as one word for a POSIX shell. */
const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`
