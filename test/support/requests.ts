/** A request as it comes over a socket: with a Host, which `new Request` alone does not give it. */
export function request(path: string, init: RequestInit = {}): Request {
  const headers = new Headers(init.headers)
  if (!headers.has('host')) headers.set('host', 'tally.example')
  return new Request(`http://tally.example${path}`, { ...init, headers })
}

/** A POST of a JSON body; what is not a string or bytes is written as JSON. */
export function post(path: string, body: unknown, headers: Record<string, string> = {}): Request {
  const written = typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body)
  return request(path, {
    method: 'POST',
    body: written,
    headers: { 'content-type': 'application/json', ...headers },
  })
}

/** The payload of DESIGN.md, and what it is answered with but for the time it took. */
export const examplePayload = { numbers: [1, 2, 3, 4, 5], text: 'Sample text for analysis' }
