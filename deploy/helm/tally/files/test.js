// `helm test`: checks through the Service that the release works. Every wait has a limit, and the first wrong response
// ends it with code 1.

const { TALLY_URL: url, API_KEY: key, ACCESS: access } = process.env
const headers = {
  'content-type': 'application/json',
  // A connection each: each request may reach another pod.
  connection: 'close',
  ...(key ? { authorization: `Bearer ${key}` } : {}),
}
const request = (address, options) =>
  fetch(address, { headers, signal: AbortSignal.timeout(10_000), ...options })
const get = (path) => request(`${url}${path}`)
const post = (path, body) => request(`${url}${path}`, { method: 'POST', body: JSON.stringify(body) })
/** The address of what a response has created. */
const locationOf = (response) => new URL(response.headers.get('location') ?? '', url)

function check(holds, what, seen) {
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
  ready = await get('/ready').catch(() => undefined)
}
check(ready?.ok, '/ready responds with 200', ready?.status)

const hidden = await get('/metrics')
check(hidden.status === 404, '/metrics is not on the port of the clients', hidden.status)

const payload = { numbers: [1, 2, 3, 4, 5], text: 'Sample text for analysis' }
const analysis = await post('/payload', payload)
if (access && !key) {
  check(analysis.status === 401, 'a client without a key gets 401', analysis.status)
  console.log('No API key: set test.existingSecret to test the results too')
  process.exit(0)
}
const isRight = ({ numeric_analysis: numeric, text_analysis: text } = {}) =>
  numeric?.mean === 3 && numeric.standard_deviation === 1.5811388300841898 && text?.word_count === 4
const result = await analysis.json()
check(analysis.status === 200 && isRight(result), 'POST /payload computes the exact statistics', result)

const accepted = await post('/tasks', { payload })
check(accepted.status === 201, 'POST /tasks accepts a task', accepted.status)
let task
for (let attempt = 1; attempt <= 60 && task?.status !== 'completed'; attempt++) {
  if (attempt > 1) await Bun.sleep(1_000)
  task = (await (await request(locationOf(accepted))).json()).task
}
check(
  task?.status === 'completed' && isRight(task.result),
  'the task is completed with the exact result',
  task,
)

const stored = await post('/data', { name: 'helm test' })
check(stored.status === 201, 'POST /data stores a document', stored.status)
const removed = await request(locationOf(stored), { method: 'DELETE' })
check(removed.status === 204, 'DELETE removes it', removed.status)
