/** Maximum characters of a description: it is part of a log line. */
const maxLength = 400

/** Limits the chain of causes, which may be circular. */
export const maxCauses = 8

/**
 * Describes an error and its causes in one line, the outermost first. URLs lose their credentials.
 *
 * @example describeError(new Error('no answer', { cause: new TypeError('bad port') })) // 'no answer: TypeError: bad port'
 */
export function describeError(error: unknown): string {
  const parts: string[] = []
  let current = error
  for (let depth = 0; depth <= maxCauses && current !== undefined; depth++) {
    const part = describeOne(current)
    // A wrapper often repeats the message of its cause.
    if (!parts.some((earlier) => earlier.includes(part))) parts.push(part)
    current = current instanceof Error ? current.cause : undefined
  }
  const line = redactCredentials(parts.join(': ')).replaceAll(/\s+/g, ' ').trim()
  return line.length <= maxLength ? line : `${line.slice(0, maxLength - 1).toWellFormed()}…`
}

function describeOne(error: unknown): string {
  if (!(error instanceof Error)) return describeValue(error)
  const { name, message } = error
  if (error instanceof AggregateError) {
    // A connection attempt to several addresses fails with all their errors, in some runtimes without its own message.
    const inner = error.errors.map(describeOne).join(', ')
    return message === '' ? inner : `${message}: ${inner}`
  }
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  const place = findPosition(error)
  const text = `${message.includes(code) ? message : `${message} (${code})`.trimStart()}${place === undefined ? '' : ` at ${place}`}`
  return name === 'Error' ? text || name : `${name}: ${text}`
}

/** Where a source file cannot be compiled, as `file:line:column`: Bun's own errors have no stack. */
export function findPosition(error: Error): string | undefined {
  if (!('position' in error) || typeof error.position !== 'object' || error.position === null)
    return undefined
  const { file, line, column } = error.position as { file?: string; line?: number; column?: number }
  return file === undefined ? undefined : `${file}:${line}:${column}`
}

function describeValue(value: unknown): string {
  if (typeof value === 'string') return value
  try {
    return JSON.stringify(value) ?? String(value)
  } catch {
    return typeof value
  }
}

/**
 * Removes user name and password from the URLs in a text.
 *
 * @example redactCredentials('connect to redis://:secret@cache:6379') // 'connect to redis://***@cache:6379'
 */
export function redactCredentials(text: string): string {
  return text.includes('://') ? text.replaceAll(/(\b[a-z][a-z0-9+.-]*:\/\/)[^\s/]*@/gi, '$1***@') : text
}
