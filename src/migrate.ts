import { migrate } from './server/migrate.ts'

// Migrates the database to the schema of this version, and exits: for platforms that migrate before they roll out.
process.exit(await migrate(process.env))
