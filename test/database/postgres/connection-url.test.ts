import { describe, expect, test } from 'bun:test'
import { DatabaseIncompatible } from '../../../src/database/errors.ts'
import { parseConnectionUrl } from '../../../src/database/postgres/connection-url.ts'

const at = (rest: string) => `postgres://tally:secret@db.example:5432/${rest}`

describe('parseConnectionUrl', () => {
  test('reads the database and the name of the sessions', () => {
    const url = at('my%20tasks?application_name=orders&sslmode=require')
    expect(parseConnectionUrl(url)).toEqual({ url, database: 'my tasks', applicationName: 'orders' })
    expect(parseConnectionUrl(at(''))).toEqual({
      url: at(''),
      database: undefined,
      applicationName: undefined,
    })
  })

  test.each([
    'tally?search_path=tally',
    'tally?options=-c%20geqo%3Doff',
    'tally?options=-c%20search_path%3Dstatement_timeout',
    'tally?connect_timeout=9&max=1&prepare=true',
  ])('accepts what the service does not depend on: %s', (rest) => {
    expect(parseConnectionUrl(at(rest)).database).toBe('tally')
  })

  test.each([
    ['tally?statement_timeout=0', 'statement_timeout'],
    ['tally?STATEMENT_TIMEOUT=0', 'STATEMENT_TIMEOUT'],
    ['tally?options=-c%20geqo%3Doff%20-c%20lock_timeout%3D1', 'lock_timeout'],
    ['tally?options=-cstatement_timeout%20%3D1', 'statement_timeout'],
    ['tally?OPTIONS=--idle-session-timeout%3D1', 'idle_session_timeout'],
    ['tally?replication=database', 'replication'],
  ])('refuses what it depends on, and names it without the password: %s', (rest, setting) => {
    expect(() => parseConnectionUrl(at(rest))).toThrow(DatabaseIncompatible)
    expect(() => parseConnectionUrl(at(rest))).toThrow(`must not set ${setting},`)
    expect(() => parseConnectionUrl(at(rest))).not.toThrow('secret')
  })

  test('refuses several hosts', () => {
    expect(() => parseConnectionUrl('postgres://tally:secret@one,two/tally')).toThrow('one host')
  })
})
