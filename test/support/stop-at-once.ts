/**
 * A service that closes on SIGTERM without a drain window, like most do. It is the control of the shutdown tests, which
 * must find its losses.
 */
const server = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  async fetch(request) {
    if (new URL(request.url).pathname === '/ready') return new Response()
    await request.text()
    return Response.json({
      numeric_analysis: {
        count: 5,
        minimum: 1,
        maximum: 5,
        mean: 3,
        median: 3,
        standard_deviation: 1.5811388300841898,
      },
      text_analysis: {
        word_count: 4,
        character_count: 24,
        character_count_no_spaces: 21,
        sentence_count: 1,
        paragraph_count: 1,
      },
    })
  },
})

process.on('SIGTERM', async () => {
  await server.stop()
  process.exit(0)
})

console.log(JSON.stringify({ level: 'info', msg: 'listening', url: server.url.href }))
