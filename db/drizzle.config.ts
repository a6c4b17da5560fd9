import { defineConfig } from 'drizzle-kit';

// One set of migrations per context.
const COMMAND = 'CONTEXT=booking npx drizzle-kit generate --config db/drizzle.config.ts --name what_changed';

const context = process.env.CONTEXT;
if (!context) throw new Error(`Set CONTEXT to the context whose schema changed: ${COMMAND}`);

export default defineConfig({
  dialect: 'postgresql',
  schema: `./db/schema/${context}.ts`,
  out: `./db/migrations/${context}`,
  casing: 'snake_case',
});
