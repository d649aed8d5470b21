import { migrate } from './server/migrate.ts'

// Brings the database to the schema of this version, and ends: for platforms that migrate before they roll.
process.exit(await migrate(process.env))
