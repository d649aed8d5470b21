// `helm test`: checks through the Service that the release works. Every wait has a limit, and the first wrong response
// ends it with code 1.

const { TALLY_URL: url, API_KEY: key, ACCESS: access } = process.env
const headers = {
  'content-type': 'application/json',
  // A connection each: each request may reach another pod.
  connection: 'close',
  ...(key ? { authorization: `Bearer ${key}` } : {}),
}
const send = (path, body) =>
  fetch(`${url}${path}`, {
    headers,
    signal: AbortSignal.timeout(10_000),
    ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
  })

function require(holds, what, seen) {
  if (!holds) {
    console.error(`failed: ${what}; received ${JSON.stringify(seen)}`)
    process.exit(1)
  }
  console.log(`ok: ${what}`)
}

// A new Service answers once every node has its endpoints.
let ready
for (let attempt = 1; attempt <= 30 && !ready?.ok; attempt++) {
  if (attempt > 1) await Bun.sleep(1_000)
  ready = await send('/ready').catch(() => undefined)
}
require(ready?.ok, '/ready responds with 200', ready?.status)

const hidden = await send('/metrics')
require(hidden.status === 404, '/metrics is not on the port of the clients', hidden.status)

const payload = { numbers: [1, 2, 3, 4, 5], text: 'Sample text for analysis' }
const analysis = await send('/payload', payload)
if (access && !key) {
  require(analysis.status === 401, 'a client without a key gets 401', analysis.status)
  console.log('No API key: set test.existingSecret to test the results too')
  process.exit(0)
}
const isRight = ({ numeric_analysis: numeric, text_analysis: text } = {}) =>
  numeric?.mean === 3 && numeric.standard_deviation === 1.5811388300841898 && text?.word_count === 4
const result = await analysis.json()
require(analysis.status === 200 && isRight(result), 'POST /payload computes the exact statistics', result)

const accepted = await send('/tasks', { payload })
require(accepted.status === 201, 'POST /tasks accepts a task', accepted.status)
const { pathname } = new URL(accepted.headers.get('location') ?? '', url)
let task
for (let attempt = 1; attempt <= 60 && task?.status !== 'completed'; attempt++) {
  if (attempt > 1) await Bun.sleep(1_000)
  task = (await (await send(pathname)).json()).task
}
require(task?.status === 'completed' && isRight(task.result), 'the task is completed with the exact result', task)

const stored = await send('/data', { name: 'helm test' })
require(stored.status === 201, 'POST /data stores a document', stored.status)
const document = new URL(stored.headers.get('location') ?? '', url).pathname
const removed = await fetch(`${url}${document}`, { method: 'DELETE', headers, signal: AbortSignal.timeout(10_000) })
require(removed.status === 204, 'DELETE removes it', removed.status)
