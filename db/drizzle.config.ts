import { defineConfig } from 'drizzle-kit';

// One set of migrations per context: `npm run db:generate -- booking`.
const context = process.env.CONTEXT;
if (!context)
  throw new Error('Set CONTEXT to the context whose schema changed, as `npm run db:generate -- booking` does');

export default defineConfig({
  dialect: 'postgresql',
  schema: `./db/schema/${context}.ts`,
  out: `./db/migrations/${context}`,
  casing: 'snake_case',
});
