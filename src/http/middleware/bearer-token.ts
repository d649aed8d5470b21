import { bearerAuth } from 'hono/bearer-auth'
import { type Problem, ProblemError } from '../problem.ts'
import { hashKey } from './api-keys.ts'
import { invalidCredentials, missingCredentials } from './auth.ts'

const refuse = (problem: Problem) => ({
  message: (): never => {
    throw new ProblemError(problem)
  },
})

/** Requires the one token of a scraper or operator, as a bearer. Hashes of equal length are compared in constant time. */
export function bearerToken(token: string) {
  const expected = hashKey(token)
  return bearerAuth({
    verifyToken: (received) => crypto.timingSafeEqual(hashKey(received), expected),
    noAuthenticationHeader: refuse(missingCredentials),
    invalidAuthenticationHeader: refuse(invalidCredentials('Authorization must be Bearer with a token.')),
    invalidToken: refuse(invalidCredentials('The token is not valid.')),
  })
}
