import type { Check } from '../../src/http/middleware/check.ts'

/** Replaces authentication: `X-Test-Client` names the client. */
export const clientByHeader: Check = ({ headers }, context) => {
  context.client = headers.get('x-test-client') || undefined
  return undefined
}

/** Clients that must be distinguished; the empty name is an anonymous client. */
export const clientNames = ['', 'key:one', 'key:two', 'sub:one', 'sub:one"', 'sub:', 'sub:one two']
