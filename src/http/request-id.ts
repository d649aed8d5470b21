const validId = /^[A-Za-z0-9._-]{1,128}$/

/**
 * Makes the function that names requests: a valid incoming `X-Request-ID` (1 to 128 of `[A-Za-z0-9._-]`) is kept, any other
 * is replaced by a random prefix, which is unique among instances and restarts, and a counter.
 */
export function createRequestIds(): (incoming: string | null) => string {
  const prefix = `${crypto.randomUUID().replaceAll('-', '').slice(0, 16)}-`
  let count = 0
  return (incoming) => {
    if (incoming !== null && validId.test(incoming)) return incoming
    return prefix + (count++).toString(36)
  }
}
