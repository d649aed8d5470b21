/** Repetitions of the tests that kill processes: ROUNDS, which the nightly run sets to 20. */
export const rounds = Number(process.env.ROUNDS || 5)
