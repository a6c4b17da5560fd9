import { randomBytes } from 'node:crypto';
import { BUS_ROLES, rolePassword } from '../db/roles';
import { DATABASE_CONTEXTS, MODULE_NAMES } from '../kernel/modules';

const OPTIONAL = ' A module is left out here and in MODULES, which names those that stay.';

/**
 * The settings that `docker-compose.temporal.yml` asks for, with new random secrets. The passwords of the
 * database roles, of contexts and of the event bus, are derived as `db/migrate.ts` does it, so that no service is given what opens another's
 * database.
 */
export function composeEnv(secret: () => string = () => randomBytes(32).toString('base64url')): string {
  const roleSecret = secret();
  const passwords = [...DATABASE_CONTEXTS, ...BUS_ROLES].map(
    (role) => `${role.toUpperCase()}_DATABASE_PASSWORD=${rolePassword(role, roleSecret)}`,
  );
  const modules = MODULE_NAMES.filter((name) => name !== 'core');
  return `# Settings of docker-compose.temporal.yml. Keep this file out of version control and readable by yourself only.

# Where clients reach the gateway.
PUBLIC_URL=http://127.0.0.1:8000

# Secrets, made at random. The database passwords belong to DATABASE_ROLE_SECRET: change them together.
SERVICE_TOKEN_SECRET=${secret()}
IDENTITY_KEY_SECRET=${secret()}
NOTIFICATION_KEY_SECRET=${secret()}
PAYMENT_KEY_SECRET=${secret()}
POSTGRES_PASSWORD=${secret()}
TEMPORAL_POSTGRES_PASSWORD=${secret()}
DATABASE_ROLE_SECRET=${roleSecret}
${passwords.join('\n')}

# Stand-ins that are run along: the Stripe sandbox and a mail catcher. To use Stripe itself, take stripe-sandbox out of
# COMPOSE_PROFILES, and set STRIPE_SECRET_KEY, STRIPE_PUBLISHABLE_KEY and the signing secrets of your two webhook endpoints,
# that of connected accounts' events being the second. To send mails, take mail out and set SMTP_URL and MAIL_FROM.${modules.length > 0 ? OPTIONAL : ''}
COMPOSE_PROFILES=${['stripe-sandbox', 'mail', ...modules].join(',')}
STRIPE_SECRET_KEY=
STRIPE_PUBLISHABLE_KEY=
STRIPE_WEBHOOK_SECRET=whsec_${secret()}
STRIPE_CONNECT_WEBHOOK_SECRET=whsec_${secret()}
SMTP_URL=smtp://mail:1025
MAIL_FROM=TutorConnect <no-reply@tutorconnect.example>

# To let people sign in with Google, set OIDC_PROVIDERS=google, OIDC_GOOGLE_ISSUER=https://accounts.google.com, OIDC_GOOGLE_CLIENT_ID and this secret,
# and OIDC_REDIRECT_URIS to where your app is called back.
OIDC_GOOGLE_CLIENT_SECRET=
`;
}

/** Compiled, this file is dist/scripts/compose-env.js. */
if (require.main === module) process.stdout.write(composeEnv());
