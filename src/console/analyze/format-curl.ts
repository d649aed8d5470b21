/**
 * The command that sends the same request from a shell.
 *
 * @param body undefined for one that is too long for a command line: the command then reads a file
 * @example formatCurl('http://localhost/payload', '{}') // "curl 'http://localhost/payload' …"
 */
export function formatCurl(url: string, body: string | undefined): string {
  const data = body === undefined ? '@payload.json' : quote(body)
  return `curl ${quote(url)} -H 'content-type: application/json' --data ${data}`
}

/** A word of a POSIX shell, whatever is in it. */
const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`
