import { LOOPBACK } from './listen';

/** Somebody at whose place people sign in: an OpenID provider (OpenID Connect Core 1.0). */
export interface OidcProvider {
  /** What paths and settings call it. */
  id: string;
  /** What people read. */
  name: string;
  issuer: string;
  clientId: string;
  /** Undefined where it is not told: identity alone needs it. */
  clientSecret: string | undefined;
}

/** What people call a provider; one that the settings name no more is called what they called it. */
export function nameOfProvider(providers: readonly OidcProvider[], id: string): string {
  return providers.find((one) => one.id === id)?.name ?? id;
}

const PARTS = ['ISSUER', 'CLIENT_ID', 'CLIENT_SECRET', 'NAME'] as const;
const NAME = new RegExp(`^OIDC_(?<provider>[A-Z0-9]+)_(?:${PARTS.join('|')})$`);

/** Whether a setting says something of one provider. */
export function isOidcSetting(name: string): boolean {
  return NAME.test(name);
}

/** The providers that OIDC_PROVIDERS names, in its order. What is wrong is added to `problems`, in sentences for a person, without a value. */
export function readOidcProviders(
  ids: readonly string[],
  settings: Readonly<Record<string, string | undefined>>,
  problems: string[],
): OidcProvider[] {
  const prefixes = new Set(ids.map(prefixOf));
  for (const [name, value] of Object.entries(settings)) {
    const provider = NAME.exec(name)?.groups?.provider;
    if (provider === undefined || value === undefined || value === '' || prefixes.has(`OIDC_${provider}`)) continue;
    problems.push(`${name} is of no provider that OIDC_PROVIDERS names`);
  }
  return ids.map((id) => {
    const given = (part: (typeof PARTS)[number]) => settings[`${prefixOf(id)}_${part}`] ?? '';
    const needed = (part: (typeof PARTS)[number]) => {
      if (given(part) === '') problems.push(`${prefixOf(id)}_${part} is missing: OIDC_PROVIDERS names ${id}`);
      return given(part);
    };
    const issuer = needed('ISSUER');
    if (issuer !== '' && !isIssuer(issuer))
      problems.push(`${prefixOf(id)}_ISSUER must be a URL that starts with https://, without a query`);
    return {
      ...{ id, issuer, clientId: needed('CLIENT_ID'), clientSecret: given('CLIENT_SECRET') || undefined },
      name: given('NAME') || id,
    };
  });
}

const prefixOf = (id: string) => `OIDC_${id.toUpperCase()}`;

/** OpenID Connect Discovery 1.0 §3; on this machine itself nobody listens in. */
function isIssuer(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, search, hash } = new URL(text);
  return search === '' && hash === '' && (protocol === 'https:' || (protocol === 'http:' && LOOPBACK.has(hostname)));
}

/**
 * Where an app may be sent back to, compared as texts: https, http on this machine (RFC 8252 §7.3), or a scheme of the app's own, which has a
 * dot in it (§7.1), so that no browser's `javascript:` is one.
 */
export function isRedirectUri(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, search, hash } = new URL(text);
  if (search !== '' || hash !== '' || text.includes('#') || text.includes('?')) return false;
  if (protocol === 'https:') return true;
  return protocol === 'http:' ? LOOPBACK.has(hostname) : protocol.includes('.');
}
