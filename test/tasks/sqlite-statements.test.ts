import { expect, test } from 'bun:test'
import { openSqlite } from '../../src/database/open.ts'
import { prepareTaskStatements } from '../../src/tasks/sqlite-statements.ts'

/** They run for each new task, poll or scrape, on the thread that answers every request. */
test.each([
  'readNextDue',
  'promoteDue',
  'restartDelays',
  'readWaiting',
  'findClaimable',
  'claim',
  'deleteEnded',
] as const)('%s scans neither all pending nor all completed tasks', async (name) => {
  const file = await openSqlite(':memory:')
  const statement = `${prepareTaskStatements(file.db)[name]}`.replaceAll('NULL', '1')
  const plan = file.db.query<{ detail: string }, []>(`explain query plan ${statement}`).all()
  const steps = plan.map(({ detail }) => detail)
  expect(steps.filter((step) => step.includes('tasks_by_status') || step === 'SCAN tasks')).toEqual([])
  await file.close()
})
